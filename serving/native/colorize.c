/* Colourises a photograph with an exported model, in C, without Python.

     colorize MODEL_DIR PHOTO OUT_PREFIX [SEED [HINT...]]

   MODEL_DIR is the folder of one version (models/tfdivcolor/1). PHOTO is any
   picture that the model accepts (JPEG, PNG, BMP, WebP). The program writes
   OUT_PREFIX_00.png (the safest colours), OUT_PREFIX_01.png and so on. It
   prints a line for each: name, log P(z | grey picture) in nats, and share, 0
   to 1 (models exported by tfdivcolor 0.5 return no shares). A HINT is a known
   colour at a pixel, X,Y,#RRGGBB; the line then ends with the distance to each
   hint, in ab units. On an error the program exits with 1 and one line on
   stderr.

   The C API finds tensors by the names of the graph's operations. These names
   differ between exports; MODEL_DIR/contract.json lists them by signature. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

#define TEMPERATURE 0.5f /* as tfdivcolor.settings.DEFAULTS */
#define NUMBERS 5        /* of a hint: x, y, red, green, blue */
#define RESULTS 4        /* pictures, log_prob, share, hint_distance */

/* TensorFlow's libraries log to stderr before main(). This function runs even
   earlier and silences stderr. main() restores it if TF_CPP_MIN_LOG_LEVEL asks
   for a log. */
static int standard_error;

static void start_quietly(void) {
  int nowhere = open("/dev/null", O_WRONLY);
  standard_error = dup(2);
  dup2(nowhere, 2);
  close(nowhere);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(
    void) = start_quietly;

static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  dprintf(standard_error, "colorize: ");
  vdprintf(standard_error, format, values);
  dprintf(standard_error, "\n");
  va_end(values);
  exit(1);
}

/* Prints the first line of TensorFlow's message. The other lines locate the
   error in the graph. */
static void check(const TF_Status *status, const char *name) {
  const char *message = TF_Message(status);
  if (TF_GetCode(status) != TF_OK)
    fail("%s: %.*s", name, (int)strcspn(message, "\n"), message);
}

static void format_path(char path[PATH_MAX], const char *format, ...) {
  va_list values;
  va_start(values, format);
  int length = vsnprintf(path, PATH_MAX, format, values);
  va_end(values);
  if (length >= PATH_MAX)
    fail("paths: must have fewer than %d bytes (received %d)", PATH_MAX,
         length);
}

/* Reads a whole file and adds a zero byte. The caller frees the memory. */
static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *data = NULL;
  size_t room = 0;
  *size = 0;
  while (file && !feof(file) && !ferror(file)) {
    if (room - *size < 2) data = realloc(data, room = 2 * room + 65536);
    if (!data) fail("%s: must fit into memory (received more)", path);
    *size += fread(data + *size, 1, room - *size - 1, file);
  }
  if (!file || ferror(file))
    fail("%s: must be a file that can be read (received %s)", path,
         strerror(errno));
  fclose(file);
  data[*size] = 0;
  return data;
}

static void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  int written = file && fwrite(data, 1, size, file) == size;
  if (!file || fclose(file) || !written)
    fail("%s: must be a file that can be written (received %s)", path,
         strerror(errno));
}

/* A signature of the model, and where its tensors are listed. */
typedef struct {
  TF_Graph *graph;
  const char *contract, *name;
} Signature;

/* Finds the input or output `key` of a signature. `oper` is NULL if the
   signature lacks it. In the exporter's JSON each key follows its parents'
   keys, so a plain search is enough. */
static TF_Output find(Signature signature, const char *side, const char *key) {
  const char *path[] = {"\"signatures\"", signature.name, side, key,
                        "\"tensor\""};
  const char *contract = signature.contract;
  char name[256];
  TF_Output tensor = {NULL, 0};
  for (int i = 0; contract && i < 5; i++) {
    contract = strstr(contract, path[i]);
    if (contract) contract += strlen(path[i]);
  }
  if (contract &&
      sscanf(contract, " : \"%255[^:\"]:%d", name, &tensor.index) == 2)
    tensor.oper = TF_GraphOperationByName(signature.graph, name);
  return tensor;
}

static TF_Output require(Signature signature, const char *side,
                         const char *key) {
  TF_Output tensor = find(signature, side, key);
  if (!tensor.oper)
    fail("contract.json: must list the model's tensors (received none for "
         "signatures, %s, %s, %s)", signature.name, side, key);
  return tensor;
}

/* The number of results that the model was exported with. */
static int32_t num_samples(const char *contract) {
  int number;
  const char *key = "\"num_samples\"", *found = strstr(contract, key);
  if (!found || sscanf(found + strlen(key), " : %d", &number) != 1)
    fail("contract.json: must have num_samples (received none)");
  return number;
}

/* Reads "X,Y,#RRGGBB". */
static void read_hint(const char *text, float hint[NUMBERS]) {
  unsigned value[NUMBERS];
  int length = 0;
  sscanf(text, "%9u,%9u,#%2x%2x%2x%n", &value[0], &value[1], &value[2],
         &value[3], &value[4], &length);
  if (!length || text[length] || strspn(text, "0123456789,#abcdefABCDEF") !=
                                     strlen(text) || text[length - 7] != '#')
    fail("HINT: must read X,Y,#RRGGBB (received %s)", text);
  for (int i = 0; i < NUMBERS; i++) hint[i] = (float)value[i];
}

/* A tensor of one number or string: a scalar, or a vector for rank 1. */
static TF_Tensor *one(TF_DataType type, int rank, const void *value,
                      size_t size) {
  TF_Tensor *tensor = TF_AllocateTensor(type, (int64_t[]){1}, rank, size);
  memcpy(TF_TensorData(tensor), value, size);
  return tensor;
}

/* Runs `colorize`, or `colorize_hinted` if there are hints, on one picture. The
   caller deletes `results`: pictures [1, N], strings; log_prob and share
   [1, N], float; hint_distance [1, N, hints], float. Results that the model
   does not return stay NULL. */
static void run(TF_Session *session, Signature signature, const char *bytes,
                size_t size, int64_t seed, const float *hints, int hint_count,
                TF_Tensor *results[RESULTS], TF_Status *status) {
  const char *side = "\"inputs\"";
  const float temperature = TEMPERATURE, saturation = 1, warmth = 0;
  const int rank = hint_count ? 0 : 1; /* colorize has a seed for each row */
  TF_TString string;
  TF_StringInit(&string);
  TF_StringAssignView(&string, bytes, size); /* no copy, nothing to free */
  TF_Output inputs[7] = {require(signature, side, "\"image_bytes\""),
                         require(signature, side, "\"seed\""),
                         require(signature, side, "\"temperature\"")};
  TF_Tensor *values[7] = {
      one(TF_STRING, 1, &string, sizeof string),
      one(TF_INT64, rank, &seed, sizeof seed),
      one(TF_FLOAT, rank, &temperature, sizeof temperature)};
  int count = 3;
  if (hint_count) {
    const int32_t samples = num_samples(signature.contract);
    const size_t length = (size_t)hint_count * NUMBERS * sizeof *hints;
    const char *keys[] = {"\"num_samples\"", "\"saturation\"", "\"warmth\"",
                          "\"hints\""};
    for (int i = 0; i < 4; i++)
      inputs[count + i] = require(signature, side, keys[i]);
    values[count++] = one(TF_INT32, 0, &samples, sizeof samples);
    values[count++] = one(TF_FLOAT, 0, &saturation, sizeof saturation);
    values[count++] = one(TF_FLOAT, 0, &warmth, sizeof warmth);
    values[count] = TF_AllocateTensor(
        TF_FLOAT, (int64_t[]){1, hint_count, NUMBERS}, 3, length);
    memcpy(TF_TensorData(values[count++]), hints, length);
  }
  side = "\"outputs\"";
  const TF_Output share = find(signature, side, "\"share\"");
  TF_Output outputs[RESULTS] = {
      require(signature, side, "\"colorized_bytes\""),
      require(signature, side, "\"log_prob\""), share};
  if (hint_count) outputs[3] = require(signature, side, "\"hint_distance\"");
  TF_SessionRun(session, NULL, inputs, values, count, outputs, results,
                hint_count ? 4 : share.oper ? 3 : 2, NULL, 0, NULL, status);
  for (int i = 0; i < count; i++) TF_DeleteTensor(values[i]);
}

static void write_pictures(TF_Tensor *results[RESULTS], const char *prefix) {
  const TF_TString *pictures = TF_TensorData(results[0]);
  const float *log_prob = TF_TensorData(results[1]);
  const float *share = results[2] ? TF_TensorData(results[2]) : NULL;
  const float *distance = results[3] ? TF_TensorData(results[3]) : NULL;
  for (int rank = 0; rank < TF_Dim(results[0], 1); rank++) {
    const char *picture = TF_StringGetDataPointer(&pictures[rank]);
    char path[PATH_MAX];
    /* PNG, or JPEG if the export chose JPEG. */
    format_path(path, "%s_%02d.%s", prefix, rank,
                *picture == '\x89' ? "png" : "jpg");
    write_file(path, picture, TF_StringGetSize(&pictures[rank]));
    printf("%s %.3f", path, log_prob[rank]);
    if (share) printf(" %.3f", share[rank]);
    for (int i = 0; distance && i < TF_Dim(results[3], 2); i++)
      printf(" %.3f", *distance++);
    printf("\n");
  }
}

int main(int count, char **arguments) {
  if (getenv("TF_CPP_MIN_LOG_LEVEL")) dup2(standard_error, 2);
  if (count < 4)
    fail("usage: colorize MODEL_DIR PHOTO OUT_PREFIX [SEED [HINT...]]");
  const char *model = arguments[1], *photo = arguments[2];
  const char *digits = count >= 5 ? arguments[4] : "0";
  char *end, path[PATH_MAX];
  errno = 0;
  int64_t seed = strtoll(digits, &end, 10);
  if (end == digits || *end || errno)
    fail("SEED: must be an integer of 64 bits (received %s)", digits);
  const int hint_count = count > 5 ? count - 5 : 0;
  float *hints = calloc(hint_count + 1, NUMBERS * sizeof *hints);
  for (int i = 0; hints && i < hint_count; i++)
    read_hint(arguments[5 + i], hints + i * NUMBERS);

  size_t size, contract_size;
  char *bytes = read_file(photo, &size);
  format_path(path, "%s/contract.json", model);
  char *contract = read_file(path, &contract_size);

  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(
      options, NULL, model, tags, 1, graph, NULL, status);
  check(status, model);
  TF_Tensor *results[RESULTS] = {NULL};
  const Signature signature = {
      graph, contract, hint_count ? "\"colorize_hinted\"" : "\"colorize\""};
  run(session, signature, bytes, size, seed, hints, hint_count, results,
      status);
  check(status, photo);
  write_pictures(results, arguments[3]);

  for (int i = 0; i < RESULTS; i++)
    if (results[i]) TF_DeleteTensor(results[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  free(hints);
  free(contract);
  free(bytes);
  return 0;
}
