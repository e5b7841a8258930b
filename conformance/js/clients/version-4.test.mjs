import { version4 } from "./all.mjs";
import { runScript } from "./script/script.mjs";

runScript(version4);
