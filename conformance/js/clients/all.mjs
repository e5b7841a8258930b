// The clients that go through the script. See `runScript` for what is said of each.

export const version4 = { name: "socket.io-client 4", driver: "node clients/driver.mjs socket.io-client", revision: 4 };

export const version3 = { name: "socket.io-client 3", driver: "node clients/driver.mjs socket.io-client-3", revision: 4 };

export const version2 = {
  name: "socket.io-client 2",
  driver: "node clients/driver.mjs socket.io-client-2",
  revision: 3,
  flags: ["--eio3"],
};

export const python = {
  name: "python-socketio 5",
  driver: process.env.PYTHON_DRIVER ?? "../python/.venv/bin/python ../python/driver.py",
  revision: 4,
  reasons: {
    // It closes in the same breath, and the server may see that first.
    left: ["client namespace disconnect", "transport close"],
    dropped: ["transport error", "io server disconnect"],
  },
};
