package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/orderly-run/orderly/internal/client"
)

// Advise is an error with what to do about it on a second line.
func Advise(err error, next string) error { return fmt.Errorf("%w\n  %s", err, next) }

// hints say what to do about a refusal, by the API's code. docs/cli-errors.md lists them.
var hints = map[string]string{
	"InvalidAccessKeyId.NotFound":                "this server does not know the access key: see orderly config show, and orderly key list on the server",
	"Forbidden.AccessKeyDisabled":                "the access key is disabled: make another one on the server with orderly key create",
	"SignatureDoesNotMatch":                      "the secret is not that of the access key: set it again with orderly config set access-key-secret",
	"IncompleteSignature":                        "the secret is not that of the access key: set it again with orderly config set access-key-secret",
	"InvalidTimeStamp.Expired":                   "the clocks of this machine and of the server differ by more than 15 minutes: set them right",
	"InvalidRegionId.NotFound":                   "the server does not serve this region: see --region of orderly server, and give one of its regions with --region",
	"InvalidInstance.NotFound":                   "see which machines there are: orderly instance list",
	"InvalidInstanceId.NotFound":                 "see which machines there are: orderly instance list",
	"InvalidInstance.NotMatch":                   "run it on machines of one system only: orderly instance list shows the system, --type says for which one a script is",
	"InvalidResourceTag.InstanceNotFound":        "see which tags machines have: orderly instance list --output wide; set one: orderly instance tag",
	"InstanceIds.ExceedLimit":                    "select machines by --tag or --all, or let the operator raise --max-targets of orderly server (--max-all for --all)",
	"InvalidInvokeId.NotFound":                   "see which ones there are: orderly invocation list",
	"InvalidCmdId.NotFound":                      "see which commands there are: orderly command list",
	"InvalidOperation.CommandInUse":              "wait for its end or stop it: orderly invocation list --command shows where it runs",
	"CmdCount.ExceedQuota":                       "delete commands that nobody needs (orderly command delete), or let the operator raise --max-commands",
	"CmdContent.ExceedLimit":                     "a script may have 18 KB: have it fetch what is larger",
	"FileSize.ExceedLimit":                       "a file may have 24 KB: have a script fetch what is larger",
	"FileTargetDir.Invalid":                      "write the whole path on the machines, such as /etc/motd, or /etc/ for the same name there",
	"ActivationCount.ExceedLimit":                "disable codes that nobody needs: orderly activation list, orderly activation disable",
	"ActivationTTL.ExceedLimit":                  "ask for fewer hours, or let the operator raise --max-activation-hours",
	"ActivationLimitation.Invalid":               "ask for fewer machines, or let the operator raise --max-activation-uses",
	"Parameter.NotMatched":                       "the script has no {{name}} with that name: orderly command show lists what a kept one takes",
	"Parameter.Disabled":                         "the command was made without parameters: make it again with orderly command create --parameters",
	"InvalidTimeout.ExceedLimit":                 "a command may run for a day at most",
	"Invocation.ExceedQuota":                     "the account has used up its invocations of today: see --max-invocations of orderly server",
	"InvalidOperation.InvokeAlreadyFinished":     "it is over: orderly invocation show tells how it ended",
	"OperationDenied.QuotaExceed":                "take a tag off first: orderly instance tag INSTANCE KEY-",
	"InvalidTagKey.Malformed":                    "a key has 1 to 64 characters and begins neither with aliyun, acs: nor with orderly:",
	"InvalidParam.Frequency":                     "see docs/schedules.md: rate(5m), at(2027-01-02 03:04:05), or six fields such as 0 30 9 ? * MON-FRI",
	"InvalidAction.NotFound":                     "see which operations there are: docs/conformance.md; --version 2020-06-01 is the second dialect",
	"InvalidResourceTagKey.Malformed":            "a tag is KEY or KEY=VALUE",
	"InstanceName.InvalidPattern":                "a name begins with a letter and has letters, digits, and . _ - : in it",
	"InvalidVersion":                             "the dialects are 2014-05-26 and 2020-06-01",
	"InvalidResourceTag.ConflictWithInstanceIds": "select machines either by tags or by their IDs and names",
}

// refused is the end by an error of a call.
func refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Exit{Interrupted, errors.New("interrupted")}
	}
	return &Exit{Refused, plain(err)}
}

// plain is an error as users of the command line read it, with what to do next where that is known.
func plain(err error) error {
	var e *client.Error
	if !errors.As(err, &e) {
		return unreachable(err)
	}
	if e.Code == "" {
		return notOurs(e)
	}
	message := e.Message
	if e.Code == "SignatureDoesNotMatch" || e.Code == "IncompleteSignature" { // it shows what was signed
		message = "the signature does not fit the access key"
	}
	err = fmt.Errorf("%s: %s (request %s)", e.Code, message, e.RequestID)
	switch hint, ok := hints[e.Code]; {
	case ok:
		return Advise(err, hint)
	case e.Status >= 500:
		return Advise(err, "the fault is the server's: its log tells more, under this request")
	}
	return err
}

// notOurs explains an answer that is not the API's.
func notOurs(e *client.Error) error {
	err := fmt.Errorf("the endpoint answers with status %d (%s): is it an Orderly server?", e.Status, e.Message)
	if e.Status == http.StatusBadRequest {
		return Advise(err, "a server with TLS wants https:// in the endpoint: see orderly config show")
	}
	return Advise(err, "the endpoint is the address that orderly server --listen has, also behind a proxy: see orderly config show")
}

// adviseOpen says what to do when there can be no client.
func adviseOpen(err error) error {
	if strings.HasPrefix(err.Error(), "endpoint ") {
		return Advise(err, "write the whole address, such as https://orderly.example.com:8443")
	}
	return Advise(err, "see which authority is trusted, and where that is from: orderly config show")
}

// unreachable explains why no answer came.
func unreachable(err error) error {
	var request *url.Error
	var cut net.Error
	switch {
	case errors.As(err, &request):
	case errors.As(err, &cut), errors.Is(err, io.ErrUnexpectedEOF):
		return Advise(err, "the connection was cut: see whether it was done, with orderly invocation list")
	default:
		return err
	}
	at := strings.TrimSuffix(request.URL, "/")
	var untrusted *tls.CertificateVerificationError
	var dns *net.DNSError
	switch cause := request.Err; {
	case errors.Is(cause, client.ErrOtherCA):
		return Advise(fmt.Errorf("%s: %w", at, client.ErrOtherCA),
			"wrong fingerprint, wrong server, or somebody in between: orderly server prints the fingerprint when it starts")
	case errors.As(cause, &untrusted):
		return Advise(fmt.Errorf("%s: %w", at, untrusted.Err),
			"for a server with an authority of its own give --ca-fingerprint, which it prints when it starts, or --ca-file with its ca.pem")
	case strings.Contains(cause.Error(), "server gave HTTP response to HTTPS client"):
		return Advise(fmt.Errorf("%s: the server speaks plain HTTP", at), "write http:// in the endpoint")
	case errors.As(cause, &dns):
		return Advise(fmt.Errorf("%s: there is no host %s", at, dns.Name), "look for a mistake in the endpoint: orderly config show")
	case errors.Is(cause, syscall.ECONNREFUSED):
		return Advise(fmt.Errorf("%s: connection refused", at), "is the server running, and is the port that of its --listen? orderly config show tells where the endpoint is from")
	}
	return Advise(fmt.Errorf("%s: %w", at, request.Err), "is the server running, and is the way to it open?")
}
