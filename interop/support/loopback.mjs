import { once } from 'node:events';
import { createServer } from 'node:http';

/** An HTTP server on a free port of 127.0.0.1. `answer` is given the request with its body as text, and says `[status, body]`. */
export async function listen(answer) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const [status, body] = await answer(request, text);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${server.address().port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
  };
}
