// Package gateway is everything a native agent talks to: the message bus (NATS, embedded or a
// cluster), who may connect to it, registration over HTTP, and the messages of package wire.
//
// [Bus] is the way out: it carries the engine's messages to agents. [Gateway] is the way in: it
// admits connections, greets links, and hands reports to the engine in batches. Nothing here is the
// truth: a message may be lost at any time, and what an agent says counts once the engine has put it
// into the database. Hence the order of things everywhere: commit first, then answer.
//
// # Who may connect
//
// NATS asks this package (auth callout) for every connection. An agent proves that it holds the
// private half of an NKey by signing the connection's nonce; which instance a key belongs to is
// answered from memory. It may publish on its own three subjects and listen on its own links'
// subjects, and nothing else, so a subject proves the sender. Deregistering drops the key, tells the
// other servers and closes the connection.
//
// [Gateway.Tunnel] carries connections to the bus for machines that reach nothing but the API's address. It
// adds no right and asks no question: the bus does.
package gateway
