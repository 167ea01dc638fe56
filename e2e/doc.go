// Package e2e tells whole stories: a real server, real agents, and as clients the SDKs that the
// API's vendor publishes. It is a module of its own so that those SDKs are nobody else's
// dependency. Its tests are in files named for the client or the mishap they are about.
package e2e
