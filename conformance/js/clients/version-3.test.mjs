import { runScript } from "./script/script.mjs";

runScript({ name: "socket.io-client 3", driver: "node clients/driver.mjs socket.io-client-3", revision: 4 });
