package httpapi

import "net/http"

// response writes an answer to a browser: a page, or the way elsewhere. One type answers
// every operation that people meet.
type response func(http.ResponseWriter) error

// found sends the browser elsewhere after a GET.
func found(location string, cookies ...*http.Cookie) response {
	return goTo(http.StatusFound, location, cookies)
}

// seeOther sends the browser elsewhere after a form, by GET (RFC 9700 §4.12).
func seeOther(location string, cookies ...*http.Cookie) response {
	return goTo(http.StatusSeeOther, location, cookies)
}

func goTo(status int, location string, cookies []*http.Cookie) response {
	return func(w http.ResponseWriter) error {
		for _, cookie := range cookies {
			http.SetCookie(w, cookie)
		}
		uncached(w.Header())
		w.Header().Set("Location", location)
		w.WriteHeader(status)
		return nil
	}
}

// VisitAuthorizeResponse writes the answer.
func (r response) VisitAuthorizeResponse(w http.ResponseWriter) error { return r(w) }

// VisitAuthorizeByFormResponse writes the answer.
func (r response) VisitAuthorizeByFormResponse(w http.ResponseWriter) error { return r(w) }

// VisitDecideConsentResponse writes the answer.
func (r response) VisitDecideConsentResponse(w http.ResponseWriter) error { return r(w) }

// VisitShowLogoResponse writes the picture.
func (r response) VisitShowLogoResponse(w http.ResponseWriter) error { return r(w) }

// VisitShowLoginResponse writes the answer.
func (r response) VisitShowLoginResponse(w http.ResponseWriter) error { return r(w) }

// VisitLogInResponse writes the answer.
func (r response) VisitLogInResponse(w http.ResponseWriter) error { return r(w) }

// VisitCompleteLoginResponse writes the answer.
func (r response) VisitCompleteLoginResponse(w http.ResponseWriter) error { return r(w) }

// VisitShowAccountResponse writes the answer.
func (r response) VisitShowAccountResponse(w http.ResponseWriter) error { return r(w) }

// VisitDisconnectClientResponse writes the answer.
func (r response) VisitDisconnectClientResponse(w http.ResponseWriter) error { return r(w) }

// VisitLogOutResponse writes the answer.
func (r response) VisitLogOutResponse(w http.ResponseWriter) error { return r(w) }

// VisitGetDocsResponse writes the page.
func (r response) VisitGetDocsResponse(w http.ResponseWriter) error { return r(w) }

// VisitGetErrorDocsResponse writes the page.
func (r response) VisitGetErrorDocsResponse(w http.ResponseWriter) error { return r(w) }
