// AWS SDK for JavaScript v3: `node s3.cjs PROVIDER`, one of those of @aws-sdk/credential-providers,
// or `default`. Lists and reads at each line of standard input.
const { createRequire } = require("node:module");
const { createInterface } = require("node:readline");

const installed = createRequire(process.env.NODE_PACKAGES + "/");
const { S3Client, ListObjectsV2Command, GetObjectCommand } = installed("@aws-sdk/client-s3");
const providers = installed("@aws-sdk/credential-providers");

const name = process.argv[2];
const credentials =
  name === "default"
    ? undefined
    : name === "fromHttp"
      ? providers.fromHttp({
          awsContainerCredentialsFullUri: process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI,
          awsContainerAuthorizationTokenFile: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
        })
      : providers[name]();
const s3 = new S3Client({ region: "us-east-1", forcePathStyle: true, credentials });

(async () => {
  for await (const _ of createInterface({ input: process.stdin })) {
    try {
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "bucket" }));
      const object = await s3.send(new GetObjectCommand({ Bucket: "bucket", Key: Contents[0].Key }));
      console.log(await object.Body.transformToString());
    } catch (error) {
      console.log(`${error.name}: ${error.message} ${error.Message}`.replaceAll("\n", " "));
    }
  }
})();
