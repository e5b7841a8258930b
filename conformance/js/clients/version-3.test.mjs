import { version3 } from "./all.mjs";
import { runScript } from "./script/script.mjs";

runScript(version3);
