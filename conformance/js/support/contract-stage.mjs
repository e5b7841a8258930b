// The script's stage for a client under test, whose driver speaks the interop contract.

import { Stage } from "../clients/script/stage.mjs";

/** What the script asks for by other names, and what every client under test has. */
const NAMES = { share: "multiplex", several: "multiplex", auth: null, refusal: null, leave: null };

/** The official MessagePack parser, which the official server has, writes them wrong. */
const ONLY_IN_JSON = "numbers beyond 64 bits";

export class ContractStage extends Stage {
  constructor({ parser, ...rest }) {
    super({ client: { revision: 4 }, ...rest });
    this.options = parser.name === "default" ? {} : { parser: parser.name };
    this.needs = [...rest.way.transports, ...(rest.way.upgrades ? ["upgrade"] : []), ...Object.values(this.options)];
  }

  has(feature) {
    if (feature === ONLY_IN_JSON) return this.options.parser === undefined;
    const name = feature in NAMES ? NAMES[feature] : feature;
    return name === null || this.driver.features.has(name);
  }

  openSeveral([nsp, ...others], options = {}) {
    const [first] = super.openSeveral([nsp], { ...this.options, ...options });
    return [first, ...others.map((other) => this.join(first, other, options))];
  }
}
