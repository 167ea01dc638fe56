package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/orderly-run/orderly/internal/gateway"
)

// openTLS finds how connections are protected: by a certificate of one's own, by one that the own
// CA signs, or, on loopback only, not at all. Unless it is told so, that is for the API alone: the bus is
// protected there too, for who takes its port while the server is away must not give orders to agents.
func (s *Server) openTLS(ctx context.Context) error {
	c := &s.cfg
	own := c.TLSCert != "" || c.TLSKey != ""
	local := onLoopback(c.Listen) && (c.NATS != "" || onLoopback(c.NATSListen))
	switch {
	case c.TLS != "auto" && c.TLS != "on" && c.TLS != "off":
		return fmt.Errorf("tls is auto, on or off, not %q", c.TLS)
	case c.TLS == "off" && own:
		return errors.New("a certificate is given and TLS is off")
	case c.TLS == "off" && !local:
		return errors.New("plain text is for loopback only: everything would travel readable, access to all machines with it")
	case c.TLS == "off":
		return nil
	case own:
		cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return fmt.Errorf("load the certificate: %w", err)
		}
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
		s.busTLS = s.tls
		return nil
	}
	ca, err := gateway.OpenCA(ctx, s.db)
	if err != nil {
		return err
	}
	s.ca = ca
	if s.busTLS, err = ca.TLS(s.names()); err != nil {
		return err
	}
	if c.TLS == "on" || !local {
		s.tls = s.busTLS
	}
	return nil
}

func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// names are the names and addresses that the server may be reached by.
func (s *Server) names() []string {
	list := append([]string{"localhost", "127.0.0.1", "::1"}, s.cfg.Hosts...)
	if name, err := os.Hostname(); err == nil {
		list = append(list, name)
	}
	host, _, _ := net.SplitHostPort(s.cfg.Listen)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return append(list, host)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return list
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			list = append(list, n.IP.String())
		}
	}
	return list
}
