// Prints the identity that golang.org/x/oauth2/google finds on this machine.
package main

import (
	"context"
	"fmt"
	"os"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2/google"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	scope := "https://www.googleapis.com/auth/cloud-platform"
	found, err := google.FindDefaultCredentials(context.Background(), scope)
	must(err)
	token, err := found.TokenSource.Token()
	must(err)
	email, err := metadata.Email("")
	must(err)
	fmt.Println(email, found.ProjectID, token.AccessToken)
	path := "instance/service-accounts/default/identity?audience=https://orders.example"
	id, err := metadata.Get(path)
	must(err)
	fmt.Println(id)
}
