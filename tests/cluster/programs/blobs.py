"""google-cloud-storage, by the credentials that it finds: writes an object and lists its bucket."""

from google.cloud import storage

client = storage.Client()
client.bucket("bucket").blob("word").upload_from_string("hello")
print(*(blob.name for blob in client.list_blobs("bucket")))
