/* Runs one signature of a SavedModel by the C interface of TensorFlow: no Python and no Keras, as a server loads it.

   saved_model FOLDER RESULT IN... OUT     a tensor of the graph is NAME:INDEX
   IN is TENSOR=TYPE,SIDE,...=FILE         with the number of a TF_DataType, all sides and the raw numbers
   writes the raw numbers of OUT into the file RESULT */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

#define MOST 8

static void check(TF_Status *status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s\n", TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph *graph, char *tensor) {
  char *colon = strrchr(tensor, ':');
  *colon = 0;
  TF_Output found = {TF_GraphOperationByName(graph, tensor), atoi(colon + 1)};
  if (found.oper) return found;
  fprintf(stderr, "no operation %s\n", tensor);
  exit(1);
}

static TF_Tensor *read_tensor(char *about, char *path) {
  TF_DataType type = (TF_DataType)atoi(strtok(about, ","));
  int64_t sides[MOST], count = 1;
  int rank = 0;
  for (char *side; (side = strtok(NULL, ",")); count *= sides[rank++]) sides[rank] = atoll(side);
  TF_Tensor *tensor = TF_AllocateTensor(type, sides, rank, count * TF_DataTypeSize(type));
  FILE *file = fopen(path, "rb");
  if (!file || fread(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file) != TF_TensorByteSize(tensor)) exit(1);
  fclose(file);
  return tensor;
}

int main(int count, char **words) {
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, words[1], tags, 1, graph, NULL, status);
  check(status);
  TF_Output ins[MOST], out = find(graph, words[count - 1]);
  TF_Tensor *given[MOST], *made = NULL;
  int inputs = count - 4;
  for (int i = 0; i < inputs; i++) {
    char *about = strchr(words[3 + i], '='), *path = strrchr(words[3 + i], '=');
    *about = *path = 0;
    ins[i] = find(graph, words[3 + i]);
    given[i] = read_tensor(about + 1, path + 1);
  }
  TF_SessionRun(session, NULL, ins, given, inputs, &out, &made, 1, NULL, 0, NULL, status);
  check(status);
  FILE *file = fopen(words[2], "wb");
  fwrite(TF_TensorData(made), 1, TF_TensorByteSize(made), file);
  return fclose(file);
}
