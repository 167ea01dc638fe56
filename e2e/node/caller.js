'use strict';
// caller.js FORM calls a server with one of the vendor's Node clients, in the form of request that
// is this client's own. It reads one call a line, {"action": "RunCommand", "params": {...}} with
// the API's own names, and writes one line for each, {"answer": {...}} or {"error": {...}}, until its
// input ends. Whom to call as whom is in ENDPOINT (a URL), KEY_ID, KEY_SECRET and REGION;
// VERSION is that of the API for the generic clients.
const readline = require('node:readline');
const { $OpenApiUtil } = require('@alicloud/openapi-core');
const Ecs = require('@alicloud/ecs20140526');
const PopCore = require('@alicloud/pop-core');
const OpenApi = require('@alicloud/openapi-client');
const RpcClient = require('@alicloud/rpc-client');
const { RuntimeOptions } = require('@alicloud/tea-util');

const { ENDPOINT: url, KEY_ID: accessKeyId, KEY_SECRET: accessKeySecret, REGION: regionId } = process.env;
const version = process.env.VERSION ?? '2014-05-26';
const [protocol, endpoint] = url.split('://');
const config = { accessKeyId, accessKeySecret, endpoint, regionId, protocol };

const lower = (name) => name[0].toLowerCase() + name.slice(1);

// typed turns parameters into what the typed client takes: its names begin in lower case.
function typed(params) {
  const fields = {};
  for (const [name, value] of Object.entries(params)) {
    fields[lower(name)] = Array.isArray(value) ? value.map((v) => (typeof v === 'object' ? typed(v) : v)) : value;
  }
  return fields;
}

// sdk is the SDK of a product, which has a method and a class for each operation.
function sdk(settings, product = Ecs) {
  const client = new product.default(new $OpenApiUtil.Config({ ...config, ...settings }));
  return async (action, params) => {
    const request = product[`${action}Request`];
    const response = await client[lower(action)](new request(typed(params)));
    if (response.statusCode !== 200 || response.headers['x-acs-request-id'] !== response.body.requestId) {
      throw new Error(`status ${response.statusCode}, headers ${JSON.stringify(response.headers)}`);
    }
    return response.body.toMap();
  };
}

// flat has each parameter as one text, which generic clients leave to their callers.
function flat(params, prefix = '') {
  const texts = {};
  for (const [name, value] of Object.entries(params)) {
    if (typeof value === 'object' && (name === 'Parameters' || name === 'InstanceIds')) texts[name] = JSON.stringify(value);
    else if (typeof value === 'object') {
      const part = Array.isArray(value) ? Object.fromEntries(value.map((v, i) => [i + 1, v])) : value;
      Object.assign(texts, flat(part, `${prefix}${name}.`));
    } else texts[prefix + name] = String(value);
  }
  return texts;
}

function popCore(method) {
  const client = new PopCore({ accessKeyId, accessKeySecret, endpoint: url, apiVersion: version });
  return (action, params) => client.request(action, { RegionId: regionId, ...flat(params) }, { method });
}

function openApi() {
  const client = new OpenApi.default(new OpenApi.Config(config));
  return async (action, params) => {
    const how = new OpenApi.Params({
      action, version, protocol, pathname: '/', method: 'POST', authType: 'AK', style: 'RPC', reqBodyType: 'formData', bodyType: 'json',
    });
    const request = new OpenApi.OpenApiRequest({ query: { RegionId: regionId }, body: flat(params) });
    return (await client.callApi(how, request, new RuntimeOptions({}))).body;
  };
}

function rpc() {
  const client = new RpcClient.default(new RpcClient.Config({ ...config, type: 'access_key' }));
  return (action, params) => client.doRequest(action, protocol, 'POST', version, 'AK', { RegionId: regionId }, flat(params), new RuntimeOptions({}));
}

const forms = {
  'sdk-v3': () => sdk({}),
  'sdk-v1': () => sdk({ signatureAlgorithm: 'v2' }),
  'swas-v3': () => sdk({}, require('@alicloud/swas-open20200601')),
  'swas-v1': () => sdk({ signatureAlgorithm: 'v2' }, require('@alicloud/swas-open20200601')),
  'pop-core-get': () => popCore('GET'),
  'pop-core-post': () => popCore('POST'),
  'openapi-client': openApi,
  'rpc-client': rpc,
};

async function main() {
  const call = forms[process.argv[2]]();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { action, params } = JSON.parse(line);
    let result;
    try {
      result = { answer: await call(action, params) };
    } catch (e) {
      result = { error: { name: e.name, code: e.code, statusCode: e.statusCode, message: e.message, data: e.data } };
    }
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
}

main();
