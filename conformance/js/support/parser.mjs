// The parsers that server and clients of a suite can speak.

import msgpack from "socket.io-msgpack-parser";

/**
 * `flags` start a contract server with it, `options` open clients with it. `hasAttachments`: bytes are messages of
 * their own; otherwise every packet is one binary message.
 */
export const parsers = {
  default: { name: "default", flags: [], options: {}, hasAttachments: true },
  msgpack: { name: "msgpack", flags: ["--parser", "msgpack"], options: { parser: msgpack }, hasAttachments: false },
};

/** The one that the suites speak: that of CONTRACT_PARSER, or the default one. */
export const chosen = parsers[process.env.CONTRACT_PARSER || "default"];

if (!chosen) {
  throw new Error(`CONTRACT_PARSER is "${process.env.CONTRACT_PARSER}"; it can be ${Object.keys(parsers).join(" or ")}`);
}

/** For a case that another parser cannot pass, with any server. */
export const withDefaultParserOnly = (reason) => ({ skip: chosen !== parsers.default && reason });
