// Prints the identity that google-auth-library finds on this machine.
const { GoogleAuth } = require("google-auth-library");

async function main() {
  const auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
  const client = await auth.getClient();
  const { token } = await client.getAccessToken();
  if (process.argv.includes("token")) return console.log(token);
  const { client_email } = await auth.getCredentials();
  console.log(client_email, await auth.getProjectId(), token);
  const caller = await auth.getIdTokenClient("https://orders.example");
  const headers = await caller.getRequestHeaders();
  console.log(headers.get("authorization").replace("Bearer ", ""));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
