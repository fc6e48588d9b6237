// Asks each application who the visitor is, and writes the answer next to its link.

async function ask(status) {
  const response = await fetch(status.dataset.ask, { headers: { Accept: "application/json" } });
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const body = isJson ? await response.json() : {};
  status.classList.add(response.ok ? "open" : "shut");
  status.textContent = `${response.status} ${body.user ?? body.error ?? "open"}`;
}

for (const status of document.querySelectorAll("[data-ask]")) {
  ask(status).catch(() => { status.textContent = "no answer"; });
}

// Does the same over a websocket: writes its first message, or that it was refused.
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
