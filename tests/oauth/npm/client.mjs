// What a client does that uses oauth4webapi, at the issuer that is the first argument; prints what it has seen.
import * as oauth from 'oauth4webapi'

const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(process.argv[2])
const client = { client_id: 'app' }
const none = oauth.None()

const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
const server = await oauth.processDiscoveryResponse(issuer, discovered)

async function refresh(token, parameters) {
  const options = { additionalParameters: parameters, ...insecure }
  const answer = await oauth.refreshTokenGrantRequest(server, client, none, token, options)
  return oauth.processRefreshTokenResponse(server, client, answer)
}

async function refused(promise) {
  try {
    await promise
  } catch (error) {
    if (!(error instanceof oauth.ResponseBodyError)) throw error
    return [error.status, error.error]
  }
  throw new Error('it was not refused')
}

async function claims(token) {
  const request = new Request(new URL('/page', issuer), { headers: { authorization: `Bearer ${token}` } })
  return oauth.validateJwtAccessToken(server, request, 'https://api.example', insecure)
}

const parameters = { username: 'ada', password: 'right', scope: 'read write' }
const answer = await oauth.genericTokenEndpointRequest(server, client, none, 'password', parameters, insecure)
const first = await oauth.processGenericTokenEndpointResponse(server, client, answer)
const second = await refresh(first.refresh_token, { scope: 'read' })
const third = await refresh(second.refresh_token)
const wider = await refused(refresh(third.refresh_token, { scope: 'admin' }))
const page = await oauth.protectedResourceRequest(
  third.access_token, 'GET', new URL('/page', issuer), undefined, undefined, insecure)
const revocation = await oauth.revocationRequest(server, client, none, third.refresh_token, insecure)
await oauth.processRevocationResponse(revocation)
const ended = await refused(refresh(third.refresh_token))

console.log(JSON.stringify({
  types: [first, second, third].map((one) => one.token_type),
  scopes: [first, second, third].map((one) => one.scope),
  sub: (await claims(third.access_token)).sub,
  page: [page.status, await page.text()],
  wider,
  ended,
}))
