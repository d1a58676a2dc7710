/** What the native module offers. Its addon is built by `npm run build:native`. */
declare module '#binding' {
  const binding: object
  export default binding
}
