import { runScript } from "./script/script.mjs";

runScript({ name: "socket.io-client 2", driver: "node clients/driver.mjs socket.io-client-2", revision: 3, flags: ["--eio3"] });
