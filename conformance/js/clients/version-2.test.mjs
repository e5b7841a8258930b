import { version2 } from "./all.mjs";
import { runScript } from "./script/script.mjs";

runScript(version2);
