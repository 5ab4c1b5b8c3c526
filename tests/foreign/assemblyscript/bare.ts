// The same plugin as the compiler leaves it: with `abort`, `seed` and `Date.now` as imports, as in
// a browser.
import * as abi from "./abi";

export * from "./plugin";

export function proxy_on_done(_context: u32): u32 {
  abi.log(abi.Level.Info, `bare: ${Math.random()} at ${Date.now()}`);
  return 1;
}
