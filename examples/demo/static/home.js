// Asks for each page as ada, as bob and as nobody, and writes the answers into the table.

const columns = document.querySelectorAll("[data-user]");

// What an API client does: it exchanges name and password for a token. The visitor's own column uses the cookie.
async function credentials({ user, password, you }) {
  if (you === "yes") return { credentials: "same-origin" };
  if (!password) return { credentials: "omit" };
  const body = new URLSearchParams({ grant_type: "password", username: user, password });
  const answer = await fetch("/token", { method: "POST", body, credentials: "omit" });
  const { access_token: token } = await answer.json();
  return { credentials: "omit", headers: { Authorization: `Bearer ${token}` } };
}

async function ask(status, { headers, ...how }) {
  const response = await fetch(status.dataset.ask, { ...how, headers: { ...headers, Accept: "application/json" } });
  status.classList.add(response.ok ? "open" : "shut");
  status.textContent = `${response.status} ${response.ok ? "allowed" : "refused"}`;
}

for (const { dataset } of columns) {
  const answers = [...document.querySelectorAll(`[data-as="${dataset.user}"]`)];
  const silence = (status) => () => { status.textContent = "no answer"; };
  credentials(dataset)
    .then((how) => answers.forEach((status) => ask(status, how).catch(silence(status))))
    .catch(() => answers.forEach((status) => silence(status)()));
}

// Writes the first message of a websocket, or that it was refused.
function connect(status) {
  // Older browsers do not accept a path alone as the address of a websocket.
  const socket = new WebSocket(new URL(status.dataset.connect, location.href.replace(/^http/, "ws")));
  socket.onmessage = (message) => {
    status.classList.add("open");
    status.textContent = message.data;
  };
  socket.onerror = () => {
    status.classList.add("shut");
    status.textContent = "refused";
  };
}

document.querySelectorAll("[data-connect]").forEach(connect);

// Holds an access token, refreshes it, and shows what an application does with it.

const field = (name) => document.querySelector(`[data-token="${name}"]`);
let count = 0;

async function take(path) {
  const answer = await fetch(path, { method: "POST" });
  if (answer.status >= 500) throw new Error("try again later");
  if (!answer.ok) return false;
  const { access_token: token, expires_in: seconds } = await answer.json();
  field("end").textContent = `…${token.slice(-12)}`;
  field("expires").textContent = new Date(Date.now() + seconds * 1000).toLocaleTimeString();
  const me = await fetch("/asgi/me", { headers: { Authorization: `Bearer ${token}`, Accept: "application/json" } });
  field("me").textContent = `${me.status} ${(await me.json()).user ?? ""}`;
  return true;
}

async function refresh() {
  if (await take("/tokens/refresh")) {
    count += 1;
    field("count").textContent = `${count} ${count === 1 ? "time" : "times"}`;
  } else if (!(await take("/tokens/start"))) {
    location = "/login?next=/tokens";
  }
}

if (field("refresh")) {
  const quietly = () => refresh().catch(() => { field("me").textContent = "no answer"; });
  field("refresh").addEventListener("click", quietly);
  setInterval(quietly, 10_000);
  quietly();
}
