// What the scripts for Node share: the texts and servers that the test hands over, and a list of checks.
import assert from "node:assert/strict";

export const known = JSON.parse(process.argv[2]);
export { assert };

const checks = [];

export function check(name, body) {
  checks.push([name, body]);
}

export async function run() {
  let failed = 0;
  for (const [name, body] of checks) {
    try {
      await body();
      console.log(`ok ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAILED ${name}\n${error?.stack ?? error}`);
    }
  }
  console.log(`${checks.length - failed} of ${checks.length} checks`);
  process.exit(failed || !checks.length ? 1 : 0);
}

// The promise must be rejected with exactly this class of error; returns it.
export async function raises(kind, promise) {
  let error;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `no ${kind.name}`);
  assert.equal(error.constructor.name, kind.name, `${error.stack}`);
  return error;
}
