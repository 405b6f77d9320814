// The original's JavaScript client reads a node and sends a transfer: `node test.mjs SOCKET KEY.pem`, with the key of a
// funded account. Ends with 0 only if everything is as expected.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import * as today from "@oasisprotocol/client";
import * as then from "client-of-21";
import { serve } from "./bridge.mjs";
import { XMLHttpRequest } from "./browser.mjs";

// What the client finds in a browser.
globalThis.XMLHttpRequest = XMLHttpRequest;
globalThis.crypto ??= webcrypto;

const [socket, key] = process.argv.slice(2);
const seed = Buffer.from(readFileSync(key, "utf8").replace(/-----.*-----/g, ""), "base64").subarray(0, 32);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const say = (text) => console.log(`ok: ${text}`);

/** The first messages of a stream. */
const take = (stream, count) =>
  new Promise((done, failed) => {
    const messages = [];
    stream.on("error", failed);
    stream.on("end", () => failed(new Error(`the stream ended after ${messages.length} messages`)));
    stream.on("data", (message) => {
      messages.push(message);
      if (messages.length === count) {
        stream.cancel();
        done(messages);
      }
    });
  });

async function test(oasis, address) {
  const nic = new oasis.client.NodeInternal(address);
  const chain = await nic.consensusGetChainContext();
  assert.match(chain, /^[0-9a-f]{64}$/);

  const blocks = await take(nic.consensusWatchBlocks(), 3);
  assert.deepEqual(
    blocks.map((block) => Number(block.height) - Number(blocks[0].height)),
    [0, 1, 2],
  );
  const again = await nic.consensusGetBlock(blocks[1].height);
  assert.deepEqual(again, blocks[1]);
  say(`blocks as they come, from height ${blocks[0].height}`);

  const status = await nic.nodeControllerGetStatus();
  assert.ok(status.consensus.latest_height >= blocks[2].height);
  const genesis = await nic.consensusGetGenesisDocument();
  // Every byte of the document is in the chain's context.
  assert.equal(await oasis.genesis.chainContext(genesis), chain);
  assert.equal(await nic.stakingTokenSymbol(), "TEST");
  say(`status and genesis document of ${genesis.chain_id}`);

  const height = oasis.consensus.HEIGHT_LATEST;
  const validators = await nic.schedulerGetValidators(height);
  const nodes = await nic.registryGetNodes(height);
  const entities = await nic.registryGetEntities(height);
  assert.ok(validators.length === 1 && nodes.length === 1 && entities.length === 1);
  assert.equal(hex(validators[0].id), hex(nodes[0].id));
  assert.equal(hex(nodes[0].entity_id), hex(entities[0].id));
  say("validators, nodes, entities");

  const signer = new oasis.signature.BlindContextSigner(oasis.signature.NaclSigner.fromSeed(seed, "this key is not important"));
  const owner = await oasis.staking.addressFromPublicKey(signer.public());
  const other = oasis.signature.NaclSigner.fromRandom("this key is not important");
  const to = await oasis.staking.addressFromPublicKey(other.public());
  const balance = async (owner) => {
    const account = await nic.stakingAccount({ height, owner });
    return account.general?.balance ? oasis.quantity.toBigInt(account.general.balance) : 0n;
  };
  const before = await balance(owner);
  assert.equal(await balance(to), 0n);

  const nonce = (await nic.consensusGetSignerNonce({ account_address: owner, height })) ?? 0;
  const wrapper = oasis.staking.transferWrapper();
  wrapper.setBody({ to, amount: oasis.quantity.fromBigInt(1_234_567_890n) });
  wrapper.setNonce(nonce);
  wrapper.setFeeAmount(oasis.quantity.fromBigInt(7n));
  const gas = await wrapper.estimateGas(nic, signer.public());
  wrapper.setFeeGas(gas);
  await wrapper.sign(signer, chain);
  const events = take(nic.stakingWatchEvents(), 1);
  await wrapper.submit(nic);
  assert.equal(await balance(to), 1_234_567_890n);
  assert.equal(await balance(owner), before - 1_234_567_890n - 7n);
  const hash = await wrapper.hash();
  say(`a transfer, ${hash}`);

  const [event] = await events;
  const results = await nic.consensusGetTransactionsWithResults(event.height);
  const [mine] = results.transactions.map((transaction) => oasis.misc.fromCBOR(transaction));
  assert.equal(await oasis.consensus.hashSignedTransaction(mine), hash);
  const opened = await oasis.consensus.openSignedTransaction(chain, mine);
  assert.equal(opened.method, oasis.staking.METHOD_TRANSFER);
  assert.equal(hex(opened.body.to), hex(to));
  const moved = (list) => list.filter((event) => event.transfer && hex(event.transfer.to) === hex(to));
  const [ofResult] = moved(results.results[0].events.map((event) => event.staking ?? {}));
  assert.equal(hex(ofResult.transfer.from), hex(owner));
  const [ofBlock] = moved(await nic.stakingGetEvents(event.height));
  assert.equal(hex(ofBlock.tx_hash), hash);
  assert.equal(oasis.quantity.toBigInt(ofBlock.transfer.amount), 1_234_567_890n);
  say(`its events, in the block of height ${event.height} and in a stream`);

  // The client knows errors by module and code: the same once more, and another one whose nonce is used.
  const refused = (module, code) => (error) => {
    assert.deepEqual([error.oasisModule, error.oasisCode], [module, code], error);
    return true;
  };
  await assert.rejects(wrapper.submit(nic), refused(oasis.consensus.MODULE_NAME, oasis.consensus.ERR_DUPLICATE_TX_CODE));
  wrapper.setBody({ to, amount: oasis.quantity.fromBigInt(5n) });
  await wrapper.sign(signer, chain);
  const used = refused(oasis.consensus.TRANSACTION_MODULE_NAME, oasis.consensus.TRANSACTION_ERR_INVALID_NONCE_CODE);
  await assert.rejects(wrapper.submit(nic), used);
  say("errors by module and code");
}

const { address, stop } = await serve(socket);
const watchdog = setTimeout(() => {
  console.error("not done after 120 s");
  process.exit(1);
}, 120_000);
for (const [name, client] of Object.entries({ "client 1.3.0": today, "client of 21.3": then })) {
  console.log(name);
  await test(client, address);
}
stop();
clearTimeout(watchdog);
