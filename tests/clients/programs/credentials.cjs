// Prints the access key id that the default chain of the AWS SDK for JavaScript v3 finds.
const { createRequire } = require("node:module");

const installed = createRequire(process.env.NODE_PACKAGES + "/");
const { fromNodeProviderChain } = installed("@aws-sdk/credential-providers");

fromNodeProviderChain()().then((found) => console.log(JSON.stringify({ key: found.accessKeyId })));
