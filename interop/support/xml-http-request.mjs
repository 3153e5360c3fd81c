/** A request that was answered; tests listen to see what the client really asks. */
export const requests = new EventTarget();

/** The part of the browser's XMLHttpRequest that DirectLineJS needs, on Node's fetch, which knows FormData and blob: URLs. */
export class XMLHttpRequest {
  readyState = 0;
  status = 0;
  responseType = '';
  response = null;
  responseText = '';
  timeout = 0;
  #request = { headers: {} };
  #headers = new Headers();
  #aborted = new AbortController();

  open(method, url) {
    Object.assign(this.#request, { method, url });
    this.readyState = 1;
  }

  setRequestHeader(name, value) {
    this.#request.headers[name] = value;
  }

  getResponseHeader(name) {
    return this.#headers.get(name);
  }

  abort() {
    this.#aborted.abort();
  }

  async send(body) {
    const { method, url, headers } = this.#request;
    const timeout = this.timeout > 0 ? AbortSignal.timeout(this.timeout) : undefined;
    const signal = timeout ? AbortSignal.any([this.#aborted.signal, timeout]) : this.#aborted.signal;
    let text = '';
    try {
      const response = await fetch(url, { method, headers, body, signal });
      const bytes = await response.arrayBuffer();
      this.#headers = response.headers;
      this.status = response.status;
      text = new TextDecoder().decode(bytes);
      this.response = this.responseType === 'arraybuffer' ? bytes : json(text);
    } catch {
      if (this.#aborted.signal.aborted) return;
      // As in a browser: no status, and an event that says no more.
      this.readyState = 4;
      if (timeout?.aborted) this.ontimeout?.({ type: 'timeout' });
      else this.onreadystatechange?.({ type: 'readystatechange' });
      return;
    }
    if (this.responseType !== 'arraybuffer') this.responseText = text;
    this.readyState = 4;
    this.onreadystatechange?.({ type: 'readystatechange' });
    requests.dispatchEvent(new CustomEvent('answered', { detail: { method, url, status: this.status, response: this.response } }));
  }
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
