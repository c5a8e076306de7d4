/**
 * Replaces `${containerEnv:NAME}` and `${containerEnv:NAME:default}` in a value of `spec.exec.env` by the variables of the
 * running environment. They can only be known inside, so the translation leaves them as they are written.
 */
export function resolveContainerVariables(
  value: string,
  containerEnv: Readonly<Record<string, string | undefined>>,
): string {
  return value.replaceAll(
    /\$\{containerEnv:([^:}]+)(?::([^}]*))?\}/g,
    (_match, name: string, fallback?: string) => {
      const known = Object.hasOwn(containerEnv, name) ? containerEnv[name] : undefined
      return known ?? fallback ?? ''
    },
  )
}
