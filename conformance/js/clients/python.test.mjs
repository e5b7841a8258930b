import { runScript } from "./script/script.mjs";

const driver = process.env.PYTHON_DRIVER ?? "../python/.venv/bin/python ../python/driver.py";

runScript({
  name: "python-socketio 5",
  driver,
  revision: 4,
  reasons: {
    // It closes in the same breath, and the server may see that first.
    left: ["client namespace disconnect", "transport close"],
    dropped: ["transport error", "io server disconnect"],
  },
});
