// The part of a browser that the client needs: XMLHttpRequest for POST requests, whose text can be read as it comes.

import http from "node:http";

export class XMLHttpRequest {
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  onreadystatechange = null;
  #headers = {};
  #answer = {};
  #request = null;

  open(method, url) {
    this.#request = http.request(url, { method });
    this.#turn(1);
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  getResponseHeader(name) {
    return this.#answer[name.toLowerCase()] ?? null;
  }

  getAllResponseHeaders() {
    return Object.entries(this.#answer).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  send(body) {
    for (const [name, value] of Object.entries(this.#headers)) this.#request.setHeader(name, value);
    this.#request.on("error", () => this.#turn(4));
    this.#request.on("response", (response) => {
      this.#answer = response.headers;
      this.status = response.statusCode;
      this.statusText = response.statusMessage;
      this.#turn(2);
      response.setEncoding("latin1");
      response.on("data", (text) => {
        this.responseText += text;
        this.#turn(3);
      });
      response.on("end", () => this.#turn(4));
    });
    this.#request.end(body);
  }

  abort() {
    this.onreadystatechange = null;
    this.#request?.destroy();
  }

  #turn(state) {
    this.readyState = state;
    this.onreadystatechange?.();
  }
}
