// The plain chat page: one tab, one room at a time. Everything shown is set as text, never as markup.
'use strict';

const api = '/api/v1';
const $ = (id) => document.getElementById(id);
const posts = new Map();   // id -> post on the page; the same post may come live and from history
const unsent = new Map();  // client key -> own post that has no ack yet
let me = null;
let room = null;
let socket = null;
let nextRoomsPage = null;
let attempts = 0;
let reconnectTimer = 0;

// ---- REST

async function call(method, path, body) {
  const options = { method, credentials: 'same-origin', headers: {} };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await fetch(api + path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok)
    throw Object.assign(new Error(answer.error || response.statusText), { status: response.status });
  return answer;
}

function showError(text) {
  $('error').textContent = text;
  $('error').hidden = !text;
}

// Runs what a click or a submit asks for; what goes wrong is shown to the person who asked.
function onUser(element, event, act) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    showError('');
    try {
      await act(happened);
    } catch (error) {
      if (error.status === 401 && me)
        leaveAccount();
      showError(error.message);
    }
  });
}

const fields = (form) => Object.fromEntries(new FormData(form));

// ---- account

async function enterAccount() {
  me = await call('GET', '/auth/me');
  $('name').textContent = me.username;
  $('who').hidden = $('chat').hidden = false;
  $('account').hidden = true;
  await listRooms();
}

function leaveAccount() {
  me = null;
  leaveRoom();
  $('who').hidden = $('chat').hidden = true;
  $('account').hidden = false;
}

onUser($('login'), 'submit', async ({ target }) => {
  await call('POST', '/auth/login', fields(target));
  target.reset();
  await enterAccount();
});

onUser($('register'), 'submit', async ({ target }) => {
  const { username, email, password } = fields(target);
  await call('POST', '/auth/register', { username, email, password });
  await call('POST', '/auth/login', { username, password });
  target.reset();
  await enterAccount();
});

onUser($('logout'), 'click', async () => {
  await call('POST', '/auth/logout');
  leaveAccount();
});

// ---- rooms

function roomButton(entry) {
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.id = entry.id;
  button.textContent = `${entry.name} (${entry.user_count || 0})`;
  button.dataset.name = entry.name;
  if (room && room.id === entry.id)
    button.setAttribute('aria-current', 'true');
  onUser(button, 'click', () => enterRoom(entry));
  const item = document.createElement('li');
  item.append(button);
  return item;
}

async function listRooms(cursor) {
  const page = await call('GET', '/chatrooms?limit=50' + (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''));
  if (!cursor)
    $('rooms').replaceChildren();
  $('rooms').append(...page.chatrooms.map(roomButton));
  nextRoomsPage = page.next_cursor || null;
  $('more').hidden = !nextRoomsPage;
}

function showCounts(counts) {
  for (const button of $('rooms').querySelectorAll('button'))
    button.textContent = `${button.dataset.name} (${counts[button.dataset.id] || 0})`;
}

onUser($('more'), 'click', () => listRooms(nextRoomsPage));

onUser($('create'), 'submit', async ({ target }) => {
  const entry = await call('POST', '/chatrooms', fields(target));
  target.reset();
  await listRooms();
  await enterRoom(entry);
});

async function enterRoom(entry) {
  leaveRoom();
  await call('POST', `/chatrooms/${entry.id}/join`);
  room = entry;
  $('room').textContent = entry.name;
  $('post').hidden = false;
  for (const button of $('rooms').querySelectorAll('button'))
    button.toggleAttribute('aria-current', button.dataset.id === entry.id);
  connect();
}

function leaveRoom() {
  room = null;
  clearTimeout(reconnectTimer);
  if (socket)
    socket.close(1000);
  socket = null;
  attempts = 0;
  posts.clear();
  unsent.clear();
  $('posts').replaceChildren();
  $('room').textContent = 'No room chosen';
  $('post').hidden = $('older').hidden = true;
  $('state').textContent = '';
}

// ---- posts on the page

// Posts of a room have strictly increasing times, but the fraction comes without its trailing zeros.
function timeKey(createdAt) {
  const [, seconds, fraction = ''] = /^(.{19})(?:\.(\d+))?/.exec(createdAt);
  return seconds + '.' + fraction.padEnd(6, '0');
}

function postLine(name, text) {
  const line = document.createElement('li');
  for (const [kind, value] of [['name', name], ['text', text], ['mark', '']]) {
    const part = document.createElement('span');
    part.className = kind;
    part.textContent = value;
    line.append(part);
  }
  return line;
}

function mark(line, state, text) {
  line.className = state;
  line.querySelector('.mark').textContent = text;
}

// Stored posts in the order of their times; notes and own posts without an ack stay at the end.
function place(line, key) {
  const list = $('posts');
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  line.dataset.key = key;
  let before = null;
  for (let other = list.lastElementChild; other; other = other.previousElementSibling) {
    if (other.dataset.key && other.dataset.key < key)
      break;
    before = other;
  }
  list.insertBefore(line, before);
  if (atEnd)
    list.scrollTop = list.scrollHeight;
}

function showPost(post) {
  if (posts.has(post.id))
    return;
  const own = [...unsent.values()].find((mine) => mine.id === post.id);
  const line = own ? own.line : postLine(post.username, post.content);
  if (own)
    unsent.delete(own.key);
  if (own || (me && post.user_id === me.id))
    mark(line, 'own', '✓');
  line.dataset.id = post.id;
  posts.set(post.id, post);
  place(line, timeKey(post.created_at));
}

function showNote(text) {
  const line = document.createElement('li');
  line.className = 'note';
  line.textContent = text;
  const last = [...$('posts').children].reverse().find((other) => other.dataset.key);
  place(line, last ? last.dataset.key + '+' : '0');
}

const history = (query) => call('GET', `/chatrooms/${room.id}/messages?limit=100${query}`);

// What was posted while this page was away: pages backwards until one holds a post already shown.
async function refill() {
  const here = room;
  const wasEmpty = posts.size === 0;
  let query = '';
  for (;;) {
    const { messages } = await history(query);
    if (room !== here)
      return;
    const known = messages.some((post) => posts.has(post.id));
    const oldest = messages[0];
    messages.forEach(showPost);
    if (wasEmpty || known || messages.length < 100)
      break;
    query = '&before=' + encodeURIComponent(oldest.id);
  }
  $('older').hidden = posts.size === 0;
}

onUser($('older'), 'click', async () => {
  const oldest = [...posts.values()].reduce((a, b) => (timeKey(a.created_at) < timeKey(b.created_at) ? a : b));
  const { messages } = await history('&before=' + encodeURIComponent(oldest.id));
  messages.forEach(showPost);
  $('older').hidden = messages.length === 0;
});

// ---- socket

function connect() {
  const here = room;
  const ws = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/chat/${here.id}`);
  const early = []; // live posts wait until history is shown, or refill could not tell where to stop
  let asked = false;
  let refilled = false;
  socket = ws;
  $('state').textContent = 'connecting';
  // The room's first word to a new socket is that it joined: from there on nothing is missed, so
  // history is asked for then, not when the socket opens.
  async function catchUp() {
    asked = true;
    try {
      await refill();
    } catch (error) {
      showError(error.message);
      ws.close();
      return;
    }
    if (socket !== ws)
      return;
    refilled = true;
    early.forEach(showPost);
    attempts = 0;
    $('state').textContent = 'connected';
    for (const mine of unsent.values())
      transmit(mine);
  }
  ws.onmessage = ({ data }) => {
    if (socket !== ws)
      return;
    const frame = JSON.parse(data);
    if (frame.type === 'user_joined' && !asked)
      catchUp();
    if (frame.type === 'chat_message' && !refilled)
      early.push(frame);
    else if (frame.type in onFrame)
      onFrame[frame.type](frame);
  };
  ws.onclose = ({ code, reason }) => {
    if (socket !== ws)
      return;
    const delay = Math.random() * Math.min(15000, 500 * 2 ** attempts++);
    $('state').textContent = `disconnected (${code}${reason ? ' ' + reason : ''}), trying again`;
    reconnectTimer = setTimeout(() => room === here && connect(), delay);
  };
}

const onFrame = {
  chat_message: showPost,
  message_ack({ id, client_key: key }) {
    const mine = unsent.get(key);
    if (!mine)
      return;
    mine.id = id;
    mark(mine.line, 'own', '✓');
    // Its place in the order comes with the room's copy, or came with history after a reconnect.
    if (posts.has(id)) {
      mine.line.remove();
      unsent.delete(key);
    }
  },
  error({ message, client_key: key }) {
    const mine = unsent.get(key);
    if (!mine) {
      showError(message);
      return;
    }
    mark(mine.line, 'failed', message + ' ');
    const again = document.createElement('button');
    again.type = 'button';
    again.textContent = 'Send again';
    onUser(again, 'click', () => transmit(mine));
    mine.line.querySelector('.mark').append(again);
  },
  user_joined({ username }) {
    showNote(`${username} joined`);
  },
  user_left({ username }) {
    showNote(`${username} left`);
  },
  user_count_update({ user_counts: counts }) {
    showCounts(counts);
  },
};

// The key stays the same however often it is sent: the server keeps one post.
function transmit(mine) {
  mark(mine.line, 'waiting', '…');
  if (socket && socket.readyState === WebSocket.OPEN)
    socket.send(JSON.stringify({ type: 'chat_message', content: mine.content, client_key: mine.key }));
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

onUser($('post'), 'submit', async ({ target }) => {
  const { content } = fields(target);
  const mine = { key: newKey(), content, line: postLine(me.username, content), id: null };
  unsent.set(mine.key, mine);
  $('posts').append(mine.line);
  $('posts').scrollTop = $('posts').scrollHeight;
  transmit(mine);
  target.reset();
});

// ---- start

enterAccount().catch((error) => {
  leaveAccount();
  if (error.status !== 401)
    showError(error.message);
});
