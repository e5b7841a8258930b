// Values in JSON lines: binary is written as {"$bin": "<base64>"}, at any depth.

export function encode(value) {
  if (Buffer.isBuffer(value)) return { $bin: value.toString("base64") };
  if (value instanceof ArrayBuffer) return { $bin: Buffer.from(value).toString("base64") };
  return mapped(value, encode);
}

export function decode(value) {
  return typeof value?.$bin === "string" ? Buffer.from(value.$bin, "base64") : mapped(value, decode);
}

function mapped(value, each) {
  if (Array.isArray(value)) return value.map(each);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, each(inner)]));
}
