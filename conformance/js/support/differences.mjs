// Servers on which a case for clients cannot be played: the case by its title, and why.

const noDisconnect = "with the msgpack parser its DISCONNECT has the payload null, which the official client refuses";

const leftOut = {
  /** ../python/contract_server.py: python-socketio 5.18.1 */
  python: {
    "S-031 the server disconnects from one namespace, the other stays": { parser: "msgpack", reason: noDisconnect },
    "S-031 the server disconnects and closes": { parser: "msgpack", reason: noDisconnect },
    "connection state recovery": { reason: "it has none" },
  },
};

const name = process.env.CONTRACT_SERVER_NAME || null;
if (name !== null && !Object.hasOwn(leftOut, name)) {
  throw new Error(`CONTRACT_SERVER_NAME is "${name}"; it can be ${Object.keys(leftOut).join(" or ")}`);
}

/** Why the case is left out for the server of CONTRACT_SERVER_NAME, or false. */
export function reasonToLeaveOut(title, parser = "default") {
  const found = leftOut[name]?.[title];
  return found !== undefined && (found.parser === undefined || found.parser === parser) ? found.reason : false;
}

/** The titles of all cases that are left out somewhere. */
export const titlesLeftOut = Object.values(leftOut).flatMap(Object.keys);
