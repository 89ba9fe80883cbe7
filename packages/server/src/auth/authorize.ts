/**
 * Who may do what. The one function that stands in front of every command, on whichever road it came in; everything that
 * is not allowed is denied.
 *
 *     configure   declare, delete                       queue, exchange (and the alternate it names: write)
 *     write       publish, bind to a target             exchange published to, queue or exchange bound
 *     read        consume, get, purge, bind from, check queue, exchange bound from
 *     connect                                           virtual host
 *     monitor     lists of what others do               broker
 *
 * Publishing to the default exchange is writing to the queue that the key names.
 */
import type { User } from './users.js'

export type Resource =
  | { readonly kind: 'queue' | 'exchange'; readonly name: string }
  | { readonly kind: 'vhost'; readonly name: string }
  | { readonly kind: 'broker' }

export type Verb = 'configure' | 'write' | 'read' | 'connect' | 'monitor'

/** `message`: who may not do what to which thing, and what would allow it. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly message: string }

const allowed: Decision = { allowed: true }

export function authorize(user: User, verb: Verb, resource: Resource): Decision {
  if (isAllowed(user, verb, resource)) return allowed
  return { allowed: false, message: `user '${user.name}' may not ${inWords(verb, resource)}` }
}

function isAllowed(user: User, verb: Verb, resource: Resource): boolean {
  switch (resource.kind) {
    case 'queue':
    case 'exchange':
      return (verb === 'configure' || verb === 'write' || verb === 'read') && user[verb].includes(resource.name)
    case 'vhost':
      return verb === 'connect' && user.vhosts.includes(resource.name)
    case 'broker':
      return verb === 'monitor' && user.monitor
  }
}

function inWords(verb: Verb, resource: Resource): string {
  if (resource.kind === 'broker') return `${verb === 'monitor' ? 'see' : verb} what others do; its monitor would have to be true`
  const what = `${resource.kind === 'vhost' ? 'virtual host' : resource.kind} '${resource.name}'`
  if (resource.kind === 'vhost') return `${verb === 'connect' ? 'connect to' : verb} ${what}; none of its vhosts is that`
  const preposition = { configure: '', write: 'to ', read: 'from ', connect: 'to ', monitor: '' }[verb]
  return `${verb} ${preposition}${what}; no pattern in its permissions.${verb} covers that name`
}
