/** HELLO: who we are, and as whom we come. What the options say goes before what the URL of the host says. [P-6.1] */
import type { HelloRequest } from '@waybill/protocol'
import type { Target } from '../url.js'
import { version } from '../version.js'
import type { ConnectSettings } from './options.js'

export function helloOf(settings: ConnectSettings, target: Target): HelloRequest {
  const { name, heartbeatMs } = settings
  const user = settings.user ?? target.user
  const password = settings.password ?? target.password
  const vhost = settings.vhost ?? target.vhost
  return {
    client: { product: '@waybill/client', version, platform: `node ${process.version}`, name },
    ...(vhost === undefined ? {} : { vhost }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
  }
}
