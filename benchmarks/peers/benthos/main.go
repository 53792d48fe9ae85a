// The benthos engine as a webhook door: its HTTP input and its mapping language verify and find the key, franz-go sends.
//
// It is told everything by its environment, prints its address, and ends when its standard input does.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

const (
	mostBytes = 4 << 20
	inFlight  = 256
)

const flow = `
http: { enabled: false }
logger: { level: "OFF" }
input:
  http_server:
    address: ${PEER_ADDRESS}
    path: /webhooks/chatwoot/${PEER_SLUG}
    allowed_verbs: [ POST ]
    timeout: 4s
    sync_response: { status: '${! metadata("status").or("500") }' }
pipeline:
  threads: 2
  processors:
    - mapping: |
        let at = metadata("X-Chatwoot-Timestamp").or("")
        let right = "sha256=" + ($at + "." + content().string()).hash("hmac_sha256", env("PEER_SECRET")).encode("hex")
        let off = (timestamp_unix() - $at.number(0)).abs()
        let proved = $right == metadata("X-Chatwoot-Signature").or("") && $off <= env("PEER_SKEW_SECONDS").number()
        let body = if $proved { content().parse_json().catch(null) } else { null }
        let event = $body.event.or("")
        let conversation = $body.conversation.or({})
        let account = env("PEER_ACCOUNT").number()
        let of_account = [ $body.account.id, $conversation.account.id, $body.messages.0.account_id, $conversation.messages.0.account_id ].all(one -> one.or($account) == $account)
        let named = $event.type() == "string" && $event.re_match("^[ -~]{1,64}$")
        let found = if $event.has_prefix("message_") || $body.conversation != null {
          ["conversation", $conversation.id]
        } else if $event.has_prefix("conversation_") {
          ["conversation", $body.id]
        } else if $event.has_prefix("contact_") {
          ["contact", $body.id]
        } else {
          ["contact", $body.contact.id]
        }
        let subject = if $found.index(1).type() == "number" { $found.index(0) + ":" + $found.index(1).string() } else { "account" }
        meta status = if !$proved { "401" } else if !$named { "400" } else if !$of_account { "403" } else { "204" }
        meta key = env("PEER_STORE") + ":" + $subject
        meta event = $event
        meta id = uuid_v7()
        meta received_at = now()
output:
  switch:
    cases:
      - check: 'metadata("status") == "204"'
        output:
          broker:
            pattern: fan_out_sequential
            outputs:
              - franz: {}
              - sync_response: {}
                processors: [ { mapping: 'root = ""' } ]
      - output:
          sync_response: {}
          processors: [ { mapping: 'root = "refused"' } ]
`

// output hands each message to franz-go, which gathers them.
type output struct{ client *kgo.Client }

func (o *output) Connect(context.Context) error { return nil }

func (o *output) Close(context.Context) error {
	o.client.Close()
	return nil
}

func (o *output) Write(ctx context.Context, message *service.Message) error {
	value, err := message.AsBytes()
	if err != nil {
		return err
	}
	meta := func(name string) []byte {
		text, _ := message.MetaGet(name)
		return []byte(text)
	}
	return o.client.ProduceSync(ctx, &kgo.Record{
		Topic: os.Getenv("PEER_TOPIC"),
		Key:   meta("key"),
		Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "event", Value: meta("event")},
			{Key: "store", Value: []byte(os.Getenv("PEER_STORE"))},
			{Key: "id", Value: meta("id")},
			{Key: "received-at", Value: meta("received_at")},
			{Key: "origin", Value: []byte("webhook")},
			{Key: "chatwoot-timestamp", Value: meta("X-Chatwoot-Timestamp")},
			{Key: "chatwoot-delivery", Value: meta("X-Chatwoot-Delivery")},
		},
	}).FirstErr()
}

func connected(*service.ParsedConfig, *service.Resources) (service.Output, int, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("PEER_KAFKA")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.DisableIdempotentWrite(),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchMaxBytes(mostBytes),
	)
	return &output{client}, inFlight, err
}

// free is an address that nobody listens at; the engine takes no listener.
func free() (string, error) {
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listening.Close()
	return listening.Addr().String(), nil
}

func answers(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err == nil {
		connection.Close()
	}
	return err == nil
}

func main() {
	if err := service.RegisterOutput("franz", service.NewConfigSpec(), connected); err != nil {
		log.Fatal(err)
	}
	address, err := free()
	if err != nil {
		log.Fatal(err)
	}
	os.Setenv("PEER_ADDRESS", address)
	builder := service.NewStreamBuilder()
	if err := builder.SetYAML(flow); err != nil {
		log.Fatal(err)
	}
	stream, err := builder.Build()
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if err := stream.Run(ctx); err != nil && ctx.Err() == nil {
			log.Fatal(err)
		}
	}()
	for !answers(address) {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Printf("http://%s\n", address)
	io.Copy(io.Discard, os.Stdin)
	cancel()
}
