/** It comes without types. What is used of it: the rest is its user's affair. */
declare module 'mssql' {
  interface Pool {
    connect(): Promise<Pool>
    close(): Promise<unknown>
  }
  const library: { readonly ConnectionPool: new (config: object) => Pool }
  export default library
}
