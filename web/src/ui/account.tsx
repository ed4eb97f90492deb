/** The pages /login and /register. */

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Refusal, api } from '../client/api.ts';
import { session } from '../client/session.ts';
import { faultsOf } from '../core/account.ts';
import type { Faults } from '../core/account.ts';
import { ThemeButton } from './theme_button.tsx';
import { Alert, Brand, Eye } from './icons.tsx';
import { useWatched } from './hooks.ts';
import { Spinner } from './parts.tsx';

interface FieldProps {
  label: string;
  name: string;
  type?: 'text' | 'email' | 'password';
  autocomplete: string;
  hint?: string;
  error?: string | undefined;
  onInput(): void;
  autofocus?: boolean;
}

/** Errors are told at the field they belong to, in words. */
function Field({ label, name, type = 'text', autocomplete, hint, error, onInput, autofocus }: FieldProps) {
  const [isShown, show] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const isPassword = type === 'password';
  /* Before the page is shown: later it would take the focus from where somebody has begun to type. */
  useLayoutEffect(() => {
    if (autofocus) input.current!.focus();
  }, []);
  const notes = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
  return (
    <div class={`field ${error ? 'field-wrong' : ''}`}>
      <label for={name}>{label}</label>
      <div class="field-box">
        <input
          id={name}
          name={name}
          type={(isPassword && isShown ? 'text' : type) as 'text'}
          autocomplete={autocomplete}
          autocapitalize="none"
          spellcheck={false}
          ref={input}
          aria-invalid={error ? 'true' : undefined}
          aria-describedby={notes || undefined}
          onInput={onInput}
        />
        {isPassword && (
          <button
            type="button"
            class="field-eye"
            aria-label="Show password"
            aria-pressed={isShown}
            onClick={() => show(!isShown)}
          >
            <Eye />
          </button>
        )}
      </div>
      {error ? (
        <p class="field-error" id={`${name}-error`}>
          {error}
        </p>
      ) : (
        hint && (
          <p class="field-hint" id={`${name}-hint`}>
            {hint}
          </p>
        )
      )}
    </div>
  );
}

function tell(error: unknown): string {
  if (!(error instanceof Refusal)) return 'Something went wrong. Please try again.';
  if (error.status === 400)
    return 'The server does not accept this name, address or password. A longer password, unlike the name, may do.';
  if (error.status === 401) return 'That user name and password do not match.';
  if (error.status === 409) return 'This user name or e-mail address is taken.';
  if (error.status === 429)
    return `Too many tries. Please wait ${Math.max(1, Math.ceil((error.waitMs ?? 1000) / 1000))} s and try again.`;
  if (error.status === 0) return 'The server cannot be reached. Check your connection and try again.';
  if (error.status >= 500) return 'The server cannot do this right now. Please try again in a moment.';
  return error.message;
}

interface AccountProps {
  onEntered(): void;
  /** Follows a link without loading a page. */
  onLink(event: MouseEvent): void;
  /** Why the person is here when they did not ask to be. */
  notice?: string | undefined;
}

function useSubmit(work: (fields: Record<string, string>) => Promise<void>) {
  const [faults, setFaults] = useState<Faults>({});
  const [isBusy, setBusy] = useState(false);
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    const form = event.currentTarget as HTMLFormElement;
    const fields = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    setBusy(true);
    setFaults({});
    try {
      await work(fields);
    } catch (error) {
      const found = error instanceof FormFaults ? error.faults : { form: tell(error) };
      setFaults(found);
      const first = (['username', 'email', 'password'] as const).find((name) => found[name]) ?? 'password';
      form.querySelector<HTMLInputElement>(`[name=${first}]`)?.focus();
    }
    setBusy(false);
  };
  return { faults, isBusy, onSubmit, clear: () => Object.keys(faults).length > 0 && setFaults({}) };
}

class FormFaults extends Error {
  constructor(readonly faults: Faults) {
    super('what was typed cannot be right');
  }
}

/** What has become of a logout, which the server may not know of yet. */
function Leaving() {
  const { leaving } = useWatched(session);
  const tryAgain = (): void => {
    document.querySelector<HTMLElement>('.card input')?.focus(); // the button goes
    void session.tell();
  };
  return (
    <div role="status" id="leaving" data-leaving={leaving}>
      {leaving === 'telling' && (
        <p class="notice">
          <Spinner /> Logging out. The server has not confirmed it yet.
        </p>
      )}
      {leaving === 'untold' && (
        <p class="notice notice-warn">
          <Alert size={18} />
          <span>
            The server could not be told that you have logged out. Until it is, your session goes on there.{' '}
            <button type="button" class="link-button" onClick={tryAgain}>
              Try again
            </button>
          </span>
        </p>
      )}
      {leaving === 'told' && <p class="notice">You are logged out.</p>}
    </div>
  );
}

interface CardProps {
  id: string;
  title: string;
  lead: string;
  notice?: string | undefined;
  fault?: string | undefined;
  isBusy: boolean;
  button: string;
  onSubmit(event: SubmitEvent): void;
  children: ComponentChildren;
  footer: ComponentChildren;
}

function Card({ id, title, lead, notice, fault, isBusy, button, onSubmit, children, footer }: CardProps) {
  return (
    <div class="account">
      <header class="account-top">
        <span class="brand">
          <Brand /> confab
        </span>
        <ThemeButton />
      </header>
      <main class="card">
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
        {notice && <p class="notice">{notice}</p>}
        <Leaving />
        <form id={id} onSubmit={onSubmit} noValidate aria-busy={isBusy}>
          <div role="alert">
            {fault && (
              <p class="form-error">
                <Alert size={18} /> {fault}
              </p>
            )}
          </div>
          {children}
          <button class="button button-primary button-wide" aria-disabled={isBusy}>
            {isBusy && <Spinner />} {button}
          </button>
        </form>
        <p class="card-foot">{footer}</p>
      </main>
    </div>
  );
}

export function Login({ onEntered, onLink, notice }: AccountProps) {
  const { faults, isBusy, onSubmit, clear } = useSubmit(async ({ username = '', password = '' }) => {
    const missing: Faults = {};
    if (!username) missing.username = 'Enter your user name.';
    if (!password) missing.password = 'Enter your password.';
    if (missing.username || missing.password) throw new FormFaults(missing);
    await session.login(username, password);
    onEntered();
  });
  return (
    <Card
      id="login"
      title="Welcome back"
      lead="Log in to join the conversation."
      notice={notice}
      fault={faults.form}
      isBusy={isBusy}
      button="Log in"
      onSubmit={onSubmit}
      footer={
        <>
          New here?{' '}
          <a href="/register" onClick={onLink}>
            Create an account
          </a>
        </>
      }
    >
      <Field
        label="User name"
        name="username"
        autocomplete="username"
        error={faults.username}
        onInput={clear}
        autofocus
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autocomplete="current-password"
        error={faults.password}
        onInput={clear}
      />
    </Card>
  );
}

export function Register({ onEntered, onLink }: AccountProps) {
  const { faults, isBusy, onSubmit, clear } = useSubmit(
    async ({ username = '', email = '', password = '' }) => {
      const wrong = faultsOf(username, email, password);
      if (Object.keys(wrong).length > 0) throw new FormFaults(wrong);
      await api.register(username, email, password);
      await session.login(username, password);
      onEntered();
    },
  );
  return (
    <Card
      id="register"
      title="Create your account"
      lead="A name, an address, a password. That is all."
      fault={faults.form}
      isBusy={isBusy}
      button="Create account"
      onSubmit={onSubmit}
      footer={
        <>
          Already have an account?{' '}
          <a href="/login" onClick={onLink}>
            Log in
          </a>
        </>
      }
    >
      <Field
        label="User name"
        name="username"
        autocomplete="username"
        hint="Letters, digits and underscores. Everyone sees it."
        error={faults.username}
        onInput={clear}
        autofocus
      />
      <Field
        label="E-mail"
        name="email"
        type="email"
        autocomplete="email"
        error={faults.email}
        onInput={clear}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autocomplete="new-password"
        hint="At least 8 characters."
        error={faults.password}
        onInput={clear}
      />
    </Card>
  );
}
