/** The server's own rules for a new account, told before it is asked. */

export type Faults = Partial<Record<'username' | 'email' | 'password' | 'form', string>>;

/** The server counts the bytes of a password, and so do its bounds. */
const PASSWORD_BYTES_MIN = 8;
const PASSWORD_BYTES_MAX = 100;

const sizeOf = (text: string): number => new TextEncoder().encode(text).length;

export function passwordFault(password: string): string | null {
  const size = sizeOf(password);
  const isPlain = size === password.length; // then bytes are what people call characters
  if (size < PASSWORD_BYTES_MIN) return `Use at least ${PASSWORD_BYTES_MIN} characters.`;
  if (size <= PASSWORD_BYTES_MAX) return null;
  if (isPlain) return `This is too long; use at most ${PASSWORD_BYTES_MAX} characters.`;
  return (
    `This is too long: it counts ${size} of at most ${PASSWORD_BYTES_MAX}. ` +
    'Letters without accents, digits and signs count 1, others 2 to 4.'
  );
}

export function faultsOf(username: string, email: string, password: string): Faults {
  const faults: Faults = {};
  if (!/^[A-Za-z0-9_]{3,50}$/.test(username))
    faults.username = 'Use 3 to 50 letters, digits and underscores.';
  if (email.length > 255 || !/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/.test(email))
    faults.email = 'This does not look like an e-mail address.';
  const fault = passwordFault(password);
  if (fault !== null) faults.password = fault;
  return faults;
}
