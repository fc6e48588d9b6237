// An identity provider: oidc-provider, a certified OpenID Provider, on loopback TLS. Its only argument is a JSON object.
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const { port, cert, key, jwks, alg } = JSON.parse(process.argv[2]);

const provider = new Provider(`https://localhost:${port}`, {
  jwks,
  clients: [
    {
      client_id: 'robot',
      client_secret: 'secret-of-the-robot',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // A resource is an API: its tokens are JWTs (RFC 9068), and not opaque.
      getResourceServerInfo: (ctx, resource) => ({
        audience: resource,
        scope: 'orders:read orders:write',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg } },
      }),
    },
  },
});

createServer({ cert, key }, provider.callback()).listen(port, '127.0.0.1', () => console.log('ready'));
