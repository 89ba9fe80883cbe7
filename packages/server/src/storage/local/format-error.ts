/** The data were written by a newer version of this software. */
export class DataFormatError extends Error {
  readonly code = 'DATA_FORMAT'

  constructor(what: string, format: number, newest: number) {
    super(
      `${what} has format ${format}, and this version reads up to ${newest}: open the data with the version that wrote them, or a newer one`,
    )
    this.name = 'DataFormatError'
  }
}
