// What a project's own libraries may lack of the platform's types: ours compile there all the same.
// Where they are known nothing is added.

declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol
    readonly asyncDispose: unique symbol
  }
  interface AbortSignal {}
  interface ErrorOptions {}
}

export {}
