// google-auth-library, by the credentials that it finds: writes an object and lists its bucket.
const { createRequire } = require("node:module");

const installed = createRequire(process.env.NODE_PACKAGES + "/");
const { GoogleAuth } = installed("google-auth-library");

async function main() {
  const auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
  const storage = process.env.API_ENDPOINT_OVERRIDE;
  const upload = `${storage}/upload/storage/v1/b/bucket/o?uploadType=media&name=word`;
  await auth.request({ url: upload, method: "POST", body: "hello" });
  const { data } = await auth.request({ url: `${storage}/storage/v1/b/bucket/o` });
  console.log(data.items.map((item) => item.name).join(" "));
}

main().catch((error) => console.log(error.message));
