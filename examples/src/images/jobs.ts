/** What travels through the queue `pictures`: the name of a file in the blog's directory. The picture itself stays there. */

export interface PictureJob {
  readonly name: string
}

export interface Gallery {
  queues: { pictures: PictureJob }
}

/** Only names that the blog gave itself; none of them can lead out of its directory. */
export function isPictureName(name: unknown): name is string {
  return typeof name === 'string' && /^[0-9a-f-]{36}\.png$/.test(name)
}

export function parseJob(body: unknown): PictureJob {
  const { name } = body as PictureJob
  if (!isPictureName(name)) throw new Error(`not the name of a picture: ${JSON.stringify(name)}`)
  return { name }
}
