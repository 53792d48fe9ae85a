// Posts the requests of the files named, with Go's net/http.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	for _, file := range os.Args[1:] {
		whole, err := os.ReadFile(file)
		check(err)
		head, body, _ := bytes.Cut(whole, []byte("\n\n"))
		lines := strings.Split(string(head), "\n")
		request, err := http.NewRequest("POST", lines[0], bytes.NewReader(body))
		check(err)
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			request.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(request)
		check(err)
		_, err = io.Copy(io.Discard, answer.Body)
		check(err)
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
