// Reads one line of JSON with keys and tokens, then lines of "verifier calls"; answers each with the seconds.
import { createInterface } from "node:readline";
import { createVerifier } from "fast-jwt";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { secret, pem, hs256, rs256 } = JSON.parse((await lines.next()).value);

const verifiers = {
  "hs256": [createVerifier({ key: secret, algorithms: ["HS256"] }), hs256],
  "hs256-cached": [createVerifier({ key: secret, algorithms: ["HS256"], cache: true }), hs256],
  "rs256": [createVerifier({ key: pem, algorithms: ["RS256"] }), rs256],
  "rs256-cached": [createVerifier({ key: pem, algorithms: ["RS256"], cache: true }), rs256],
};

function forged(token) {
  const [header, payload, signature] = token.split(".");
  return `${header}.${payload}.${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`;
}

function refuses(verify, token) {
  try {
    verify(token);
    return false;
  } catch {
    return true;
  }
}

const works = Object.values(verifiers).every(
  ([verify, token]) => verify(token).sub === "ada" && refuses(verify, forged(token)),
);
console.log(works ? "ready" : "broken");

for await (const line of lines) {
  const [name, calls] = line.split(" ");
  const [verify, token] = verifiers[name];
  const start = process.hrtime.bigint();
  for (let i = Number(calls); i > 0; i--) verify(token);
  console.log(Number(process.hrtime.bigint() - start) / 1e9);
}
