import { runScript } from "./script/script.mjs";

runScript({ name: "socket.io-client 4", driver: "node clients/driver.mjs socket.io-client", revision: 4 });
