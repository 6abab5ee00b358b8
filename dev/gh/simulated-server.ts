import { createServer, type RequestListener, type Server } from 'node:http';

/** An HTTP server that can play dead: it still accepts and never answers, as a blocked process or a partition does. */
export class SimulatedServer {
  isMute = false;
  private readonly server: Server;

  constructor(handler: RequestListener) {
    this.server = createServer((request, response) => {
      if (!this.isMute) handler(request, response);
    });
  }

  /** Answers the port, which differs from the wanted one only for 0. */
  listen(address: { host: string; port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(address.port, address.host, () => {
        const bound = this.server.address();
        resolve(typeof bound === 'object' && bound ? bound.port : address.port);
      });
    });
  }

  /** At once, open connections included; the port refuses from then on. */
  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
