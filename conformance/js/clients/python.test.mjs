import { python } from "./all.mjs";
import { runScript } from "./script/script.mjs";

runScript(python);
