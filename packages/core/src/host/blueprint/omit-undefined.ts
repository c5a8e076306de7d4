type Defined<Value> = { [Key in keyof Value]?: Exclude<Value[Key], undefined> }

/** The same object without its undefined entries: "absent" in a spec is never "undefined". */
export function omitUndefined<Value extends object>(value: Value): Defined<Value> {
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => entry !== undefined),
  ) as Defined<Value>
}
