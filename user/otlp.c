/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics pushed to an OpenTelemetry collector: OTLP over HTTP, in protobuf. */
#include "otlp.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define PUSH_SECONDS_MAX 5L

struct otlp {
	pthread_t thread;
	pthread_mutex_t lock; /* of the three below */
	pthread_cond_t changed;
	struct buffer waiting;
	bool has_waiting;
	bool stopped;
	char *url;
	CURL *curl; /* the thread's alone, as the next */
	struct curl_slist *headers;
	_Atomic uint64_t ok, failed;
	bool was_failing; /* a collector that is away is worth one sentence, not one each time */
};

static size_t ignore_answer(char *bytes, size_t size, size_t count, void *context)
{
	(void)bytes;
	(void)context;
	return size * count;
}

static void push(struct otlp *otlp, const struct buffer *body)
{
	long status = 0;
	CURLcode result;

	curl_easy_setopt(otlp->curl, CURLOPT_POSTFIELDS, body->bytes);
	curl_easy_setopt(otlp->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	result = curl_easy_perform(otlp->curl);
	curl_easy_getinfo(otlp->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK && status >= 200 && status < 300) {
		if (otlp->was_failing)
			log_info("--otlp %s: takes the metrics again", otlp->url);
		otlp->was_failing = false;
		otlp->ok++;
		return;
	}
	otlp->failed++;
	if (!otlp->was_failing && result != CURLE_OK)
		log_error("--otlp %s: %s; the next push has everything", otlp->url,
			  curl_easy_strerror(result));
	else if (!otlp->was_failing)
		log_error("--otlp %s: answers %ld; the next push has everything", otlp->url, status);
	otlp->was_failing = true;
}

static void *run(void *context)
{
	struct otlp *otlp = context;
	struct buffer body;

	pthread_mutex_lock(&otlp->lock);
	for (;;) {
		while (!otlp->has_waiting && !otlp->stopped)
			pthread_cond_wait(&otlp->changed, &otlp->lock);
		if (!otlp->has_waiting)
			break;
		body = otlp->waiting;
		otlp->waiting = (struct buffer){0};
		otlp->has_waiting = false;
		pthread_mutex_unlock(&otlp->lock);
		push(otlp, &body);
		buffer_free(&body);
		pthread_mutex_lock(&otlp->lock);
	}
	pthread_mutex_unlock(&otlp->lock);
	return NULL;
}

static int set_up(struct otlp *otlp, const char *url)
{
	CURL *curl = curl_easy_init();

	otlp->curl = curl;
	otlp->url = strdup(url);
	otlp->headers = curl_slist_append(NULL, "Content-Type: application/x-protobuf");
	if (!curl || !otlp->url || !otlp->headers)
		return -ENOMEM;
	if (curl_easy_setopt(curl, CURLOPT_URL, url) ||
	    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"))
		return -EINVAL;
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, otlp->headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, PUSH_SECONDS_MAX);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_answer);
	return 0;
}

/* Signals are the loop's. */
static int start_thread(struct otlp *otlp)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&otlp->thread, NULL, run, otlp);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void otlp_free(struct otlp *otlp)
{
	curl_slist_free_all(otlp->headers);
	curl_easy_cleanup(otlp->curl);
	buffer_free(&otlp->waiting);
	free(otlp->url);
	free(otlp);
}

int otlp_open(struct otlp **ret_otlp, const char *url, char *ret_error, size_t error_size)
{
	struct otlp *otlp = calloc(1, sizeof(*otlp));
	int err = -ENOMEM;

	if (otlp && !curl_global_init(CURL_GLOBAL_DEFAULT)) {
		pthread_mutex_init(&otlp->lock, NULL);
		pthread_cond_init(&otlp->changed, NULL);
		err = strstr(url, "://") ? set_up(otlp, url) : -EINVAL;
		if (!err)
			err = start_thread(otlp);
	}
	if (err == -EINVAL)
		snprintf(ret_error, error_size,
			 "--otlp %s: not a URL; give one as http://collector:4318/v1/metrics", url);
	else if (err)
		snprintf(ret_error, error_size, "--otlp %s: %s", url, strerror(-err));
	if (!err)
		*ret_otlp = otlp;
	else if (otlp)
		otlp_free(otlp);
	return err;
}

void otlp_push(struct otlp *otlp, struct buffer *body)
{
	pthread_mutex_lock(&otlp->lock);
	buffer_free(&otlp->waiting);
	otlp->waiting = *body;
	otlp->has_waiting = true;
	pthread_cond_signal(&otlp->changed);
	pthread_mutex_unlock(&otlp->lock);
	*body = (struct buffer){0};
}

void otlp_counts(const struct otlp *otlp, uint64_t *ret_ok, uint64_t *ret_failed)
{
	*ret_ok = otlp->ok;
	*ret_failed = otlp->failed;
}

void otlp_close(struct otlp *otlp)
{
	if (!otlp)
		return;
	pthread_mutex_lock(&otlp->lock);
	otlp->stopped = true;
	pthread_cond_signal(&otlp->changed);
	pthread_mutex_unlock(&otlp->lock);
	pthread_join(otlp->thread, NULL); /* a push ends after PUSH_SECONDS_MAX */
	otlp_free(otlp);
	curl_global_cleanup();
}
