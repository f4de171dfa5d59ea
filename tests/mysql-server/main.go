// mysql-server speaks MySQL's protocol with caching_sha2_password, which MariaDB doesn't have, to the
// user "reader" with the password of its argument. It serves one table of one row. The first line that it
// prints is its port; then it prints a line for each password that it had to be shown: a password that it
// has seen is proved by a hash from then on. It ends with its standard input.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

type passwords struct{ password string }

func (p passwords) CheckUsername(name string) (bool, error) { return name == "reader", nil }

func (p passwords) GetCredential(name string) (string, bool, error) {
	fmt.Println("full authentication")
	return p.password, name == "reader", nil
}

type handler struct {
	server.EmptyHandler
	conn *server.Conn
}

func (h *handler) UseDB(string) error { return nil }

func (h *handler) HandleQuery(query string) (*mysql.Result, error) {
	var names []string
	var rows [][]any
	switch {
	case strings.HasPrefix(query, "SELECT VERSION()"):
		names, rows = []string{"v"}, [][]any{{"8.0.40"}}
	case strings.HasPrefix(query, "SELECT DATE_FORMAT"):
		names, rows = []string{"now"}, [][]any{{time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")}}
	case strings.HasPrefix(query, "SHOW SESSION STATUS"):
		protocol := ""
		if _, secure := h.conn.Conn.Conn.(*tls.Conn); secure {
			protocol = "TLSv1.3"
		}
		names, rows = []string{"name", "value"}, [][]any{{"Ssl_version", protocol}}
	case strings.HasPrefix(query, "SHOW COLUMNS"):
		names, rows = []string{"Field", "Type"}, [][]any{{"id", "varchar(10)"}, {"active", "int"}}
	case strings.HasPrefix(query, "SELECT `id`"):
		names, rows = []string{"id", "active"}, [][]any{{"a", "1"}}
	default:
		return nil, nil
	}
	set, err := mysql.BuildSimpleTextResultset(names, rows)
	if err != nil {
		return nil, err
	}
	return mysql.NewResult(set), nil
}

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(err)
	config := server.NewServer(
		"8.0.40",
		mysql.DEFAULT_COLLATION_ID,
		mysql.AUTH_CACHING_SHA2_PASSWORD,
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}},
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		raw, err := listener.Accept()
		check(err)
		go serve(config, raw)
	}
}

func serve(config *server.Server, raw net.Conn) {
	h := &handler{}
	conn, err := config.NewCustomizedConn(raw, passwords{os.Args[1]}, h)
	if err != nil {
		return
	}
	h.conn = conn
	for conn.HandleCommand() == nil {
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
