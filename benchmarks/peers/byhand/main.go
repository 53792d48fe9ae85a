// A webhook door in Go by hand: net/http and franz-go, with the checks, the key and the headers of ours.
//
// It is told everything by its environment, prints its address, and ends when its standard input does.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	mostBytes    = 4 << 20
	mostLevels   = 64
	longestEvent = 64
	longestID    = 64
	patience     = 4 * time.Second
)

// refusal is a status with its reason.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string { return r.reason }

var (
	unauthorized = refusal{http.StatusUnauthorized, "unauthorized"}
	notJSON      = refusal{http.StatusBadRequest, "the body is not JSON"}
	noEvent      = refusal{http.StatusBadRequest, "the body is no event of this door"}
	otherAccount = refusal{http.StatusForbidden, "the body names another account"}
)

// store is the one shop that this door knows.
type store struct {
	id, slug string
	secret   []byte
	account  int64
	skew     int64
}

// part is what the key is found by, in the payload and in its conversation.
type part struct {
	ID       json.RawMessage `json:"id"`
	Account  json.RawMessage `json:"account"`
	Messages []struct {
		Account *int64 `json:"account_id"`
	} `json:"messages"`
}

type payload struct {
	part
	Event        string `json:"event"`
	Conversation *part  `json:"conversation"`
	Contact      *part  `json:"contact"`
}

type door struct {
	store  store
	topic  string
	client *kgo.Client
}

func (d *door) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	err := d.take(answer, request)
	var refused refusal
	switch {
	case err == nil:
		answer.WriteHeader(http.StatusNoContent)
	case errors.As(err, &refused):
		http.Error(answer, refused.reason, refused.status)
	default:
		http.Error(answer, "no room", http.StatusServiceUnavailable)
	}
}

func (d *door) take(answer http.ResponseWriter, request *http.Request) error {
	if request.Method != http.MethodPost {
		return refusal{http.StatusMethodNotAllowed, "another method, please"}
	}
	body, err := read(http.MaxBytesReader(answer, request.Body, mostBytes), request.ContentLength)
	if err != nil {
		return refusal{http.StatusRequestEntityTooLarge, "too large"}
	}
	now := time.Now()
	timestamp := request.Header.Get("X-Chatwoot-Timestamp")
	if err := d.verify(request, timestamp, body, now); err != nil {
		return err
	}
	event, subject, err := d.peek(body)
	if err != nil {
		return err
	}
	headers := []kgo.RecordHeader{
		{Key: "event", Value: []byte(event)},
		{Key: "store", Value: []byte(d.store.id)},
		{Key: "id", Value: uuid7(now)},
		{Key: "received-at", Value: now.UTC().AppendFormat(nil, time.RFC3339Nano)},
		{Key: "origin", Value: []byte("webhook")},
		{Key: "chatwoot-timestamp", Value: []byte(timestamp)},
	}
	if delivery := request.Header.Get("X-Chatwoot-Delivery"); delivery != "" {
		headers = append(headers, kgo.RecordHeader{Key: "chatwoot-delivery", Value: []byte(delivery[:min(len(delivery), longestID)])})
	}
	record := &kgo.Record{Topic: d.topic, Key: []byte(d.store.id + ":" + subject), Value: body, Headers: headers}
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	return d.client.ProduceSync(ctx, record).FirstErr()
}

func read(from io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > mostBytes {
		return io.ReadAll(from)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(from, body)
	return body, err
}

// verify says who sent it, before any byte of the body is read as JSON.
func (d *door) verify(request *http.Request, timestamp string, body []byte, now time.Time) error {
	if strings.TrimPrefix(request.URL.Path, "/webhooks/chatwoot/") != d.store.slug {
		return unauthorized
	}
	keyed := hmac.New(sha256.New, d.store.secret)
	io.WriteString(keyed, timestamp+".")
	keyed.Write(body)
	right := "sha256=" + hex.EncodeToString(keyed.Sum(nil))
	if !hmac.Equal([]byte(right), []byte(request.Header.Get("X-Chatwoot-Signature"))) {
		return unauthorized
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || max(now.Unix()-at, at-now.Unix()) > d.store.skew {
		return unauthorized
	}
	return nil
}

// peek finds the event and the end of the key.
func (d *door) peek(body []byte) (event, subject string, err error) {
	if tooDeep(body) || !utf8.Valid(body) {
		return "", "", notJSON
	}
	var found payload
	if err := json.Unmarshal(body, &found); err != nil {
		return "", "", notJSON
	}
	event = found.Event
	if len(event) == 0 || len(event) > longestEvent || strings.ContainsFunc(event, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", "", noEvent
	}
	if !found.mayBeOf(d.store.account) || (found.Conversation != nil && !found.Conversation.mayBeOf(d.store.account)) {
		return "", "", otherAccount
	}
	switch {
	case strings.HasPrefix(event, "message_") || found.Conversation != nil:
		subject = found.Conversation.numbered("conversation")
	case strings.HasPrefix(event, "conversation_"):
		subject = found.numbered("conversation")
	case strings.HasPrefix(event, "contact_"):
		subject = found.numbered("contact")
	default:
		subject = found.Contact.numbered("contact")
	}
	return event, subject, nil
}

// mayBeOf says whether neither its account nor its first message's is another.
func (p *part) mayBeOf(account int64) bool {
	if len(p.Account) > 0 && !bytes.Equal(p.Account, []byte("null")) {
		var named struct {
			ID *int64 `json:"id"`
		}
		if json.Unmarshal(p.Account, &named) != nil || named.ID == nil || *named.ID != account {
			return false
		}
	}
	return len(p.Messages) == 0 || p.Messages[0].Account == nil || *p.Messages[0].Account == account
}

func (p *part) numbered(kind string) string {
	if p == nil {
		return "account"
	}
	if _, err := strconv.ParseInt(string(p.ID), 10, 64); err != nil {
		return "account"
	}
	return kind + ":" + string(p.ID)
}

func tooDeep(body []byte) bool {
	if bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) <= mostLevels {
		return false
	}
	level, inText, escaped := 0, false, false
	for _, sign := range body {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = sign == '\\', sign != '"'
		case sign == '"':
			inText = true
		case sign == '[' || sign == '{':
			if level++; level > mostLevels {
				return true
			}
		case sign == ']' || sign == '}':
			level--
		}
	}
	return false
}

// uuid7 is written as RFC 9562 has it.
func uuid7(now time.Time) []byte {
	var raw [16]byte
	rand.Read(raw[6:])
	binary.BigEndian.PutUint16(raw[0:], uint16(now.UnixMilli()>>32))
	binary.BigEndian.PutUint32(raw[2:], uint32(now.UnixMilli()))
	raw[6], raw[8] = raw[6]&0x0f|0x70, raw[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	for number, piece := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if number > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, piece)
	}
	return text
}

func number(name string) int64 {
	value, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return value
}

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("PEER_KAFKA")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.DisableIdempotentWrite(),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchMaxBytes(mostBytes),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	shop := store{os.Getenv("PEER_STORE"), os.Getenv("PEER_SLUG"), []byte(os.Getenv("PEER_SECRET")), number("PEER_ACCOUNT"), number("PEER_SKEW_SECONDS")}
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Handler:           &door{shop, os.Getenv("PEER_TOPIC"), client},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
	go server.Serve(listening)
	fmt.Printf("http://%s\n", listening.Addr())
	io.Copy(io.Discard, os.Stdin)
	server.Close()
}
